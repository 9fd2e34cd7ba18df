"""Calls that page through what grows: so many of a service at a time, of which one principal has half.

Each of them has one of the database's connections while it reads, and of what hardly anything matches, or of
what its caller may read little of, it reads much. So they wait for each other, and nothing else waits for
them: connections are left for what deploys, reports and follows. Which ones they are is in the table of
``access_rules``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from typing import Any, Final

from longshore_server.access.shares import Shares
from longshore_server.access.turns import Turns
from longshore_server.refusal import Reason, Refusal

from .access_rules import RULES
from .interceptor import while_allowed

# Two services page: together they leave connections of a pool of ten.
_AT_ONCE: Final = 4
_MOST: Final = 256
_COME_BACK_AFTER_S: Final = 1.0

_Handler = Callable[[Any, Any], Awaitable[Any]]


class PageTurns:
    """The turns of one service, which 256 calls have or wait for at most, half of them one principal's."""

    def __init__(self) -> None:
        self._calls = Shares(_MOST, "calls that list", _too_many)
        self._of_principals = Turns(_AT_ONCE)
        self._places = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        """The caller's turn, for as long as the block runs.

        Raises ``Refusal`` where too many wait, and where the right to the call ends before its turn comes.
        """
        with self._calls.counted():
            async with AsyncExitStack() as turn:
                with while_allowed():
                    await turn.enter_async_context(self._of_principals.one())
                    await turn.enter_async_context(self._places)
                yield


def page_in_turn(servicer: object, service: str) -> None:
    """Have the calls of ``servicer`` that page wait for their turns, each until it has its answer."""
    turns = PageTurns()
    for rpc, rule in RULES.items():
        of, _, name = rpc.partition("/")
        if of == service and rule.pages:
            setattr(servicer, name, _in_turn(turns, getattr(servicer, name)))


def _in_turn(turns: PageTurns, call: _Handler) -> _Handler:
    @wraps(call)
    async def handle(request: Any, context: Any) -> Any:
        async with turns.one():
            return await call(request, context)

    return handle


def _too_many(why: str) -> Refusal:
    return Refusal(
        Reason.LIMIT_EXCEEDED,
        f"{why}: try again in {_COME_BACK_AFTER_S:g} s, or at another node",
        retry_after_s=_COME_BACK_AFTER_S,
    )
