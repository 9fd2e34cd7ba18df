"""Whether a call is let in, and may do what it asks for: before its handler sees anything of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol, Self

from longshore_server.access import Caller, Doors, Permission
from longshore_server.access.callers import EVERYBODY, current_caller, set_caller
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.rows import Actor

from .access_places import ANYWHERE, Place, Places
from .access_rules import RULES, SKIPPING

_PACKAGE = "/longshore.v1."
_again: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("again", default=None)


async def check_again() -> None:
    """Check once more, by the rights of now, the call that is being handled and whose messages took long.

    What it does from then on it does by these, too. A token that has expired meanwhile does not matter, one
    that was revoked does. Raises ``Refusal``.
    """
    if (check := _again.get()) is not None:
        await check()


class Admission(Protocol):
    """What the interceptor asks of each call."""

    async def admit(self, actor: Actor, context: Any) -> Caller:
        """Tell who calls, from now on to the whole call. Raises ``Refusal``."""
        ...

    async def check(self, method: str, request: Any, actor: Actor) -> Any:
        """Raise ``Refusal`` for what the caller may not do; else the request for the handler."""
        ...


class EverybodyAdmitted:
    """Of a node that asks nobody who they are."""

    async def admit(self, actor: Actor, context: Any) -> Caller:
        """Everybody."""
        return EVERYBODY

    async def check(self, method: str, request: Any, actor: Actor) -> Any:
        """Everything."""
        return request


class CheckedAdmission:
    """Of a node with access control: see the table."""

    def __init__(self, doors: Doors, catalogue: Catalogue) -> None:
        self._doors = doors
        self._places = Places(catalogue)

    async def admit(self, actor: Actor, context: Any) -> Caller:
        """Authenticate."""
        caller = await self._doors.admit(actor, context.invocation_metadata() or (), context.auth_context())
        set_caller(caller)
        return caller

    async def check(self, method: str, request: Any, actor: Actor) -> Any:
        """Authorise by the message, or by the first message of a stream when that comes."""
        if hasattr(request, "__anext__"):
            return _FirstChecked(request, partial(self._check, method, actor=actor))
        await self._check(method, request, actor=actor)
        return request

    async def _check(self, method: str, request: Any, *, actor: Actor, again: bool = False) -> None:
        rule = RULES[method.removeprefix(_PACKAGE)]
        if rule.permission is None:
            return
        await self._look_at_rights(again=again)
        place = await rule.place(self._places, request)
        if place is None:
            return
        await self._need(rule.permission, place, actor)
        for permission, why in place.also.items():
            await self._need(permission, place, actor, why=why)
        flagged = getattr(request, "header", request)
        for flag, permission in SKIPPING.items():
            if getattr(flagged, flag, False):
                await self._need(permission, place, actor)

    async def _look_at_rights(self, *, again: bool) -> None:
        """Have the caller's rights be as they are now, and not as they were when a long call began."""
        identity = current_caller().identity
        rights = await self._doors.rights_now(identity) if again else self._doors.rights_of(identity)
        set_caller(Caller(identity, rights))

    async def _need(self, permission: Permission, place: Place, actor: Actor, *, why: str = "") -> None:
        rights = current_caller().rights
        if place.answered and not rights.allow(permission, None, None):
            # As for what is not there.
            place = ANYWHERE
        lacking = [one for one in place.environments if not rights.allow(permission, place.project, one)]
        if not lacking or (place.in_one and len(lacking) < len(place.environments)):
            return
        readable = rights.allow(Permission.DEPLOYMENT_READ, place.project, lacking[0])
        told = lacking[0] if place.named or readable else None
        refusal = await self._doors.deny(actor, permission, place.project, told, why=why)
        if place.answered:
            return
        raise place.hidden if place.hidden is not None and not readable else refusal


class _FirstChecked:
    """The messages of a call, the first of which was checked before it is given on."""

    def __init__(self, messages: AsyncIterator[Any], check: Callable[..., Awaitable[None]]) -> None:
        self._messages = messages
        self._check = check
        self._checked = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        message = await anext(self._messages)
        if not self._checked:
            await self._check(message)
            self._checked = True
            _again.set(partial(self._check, message, again=True))
        return message
