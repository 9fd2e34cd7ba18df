"""Whether an upload fits into the quotas of its project and of its caller, over all nodes.

A header is held against them before anything is sent, one after the other where the same is counted: so many
uploads, and never one more. What is only validated is stored for a while, too, and so needs room as if it was
to stay; validations are counted apart, so that who validates before he deploys has as many of both. What a
project stores is looked at again when its release is recorded, which happens under the project's row lock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from longshore_server.refusal import Reason, Refusal
from longshore_server.settings import QuotaSettings
from longshore_storage.catalogue import Transaction, releases, usage
from longshore_storage.catalogue.rows import Actor

from .requests import Header


@dataclass(frozen=True, slots=True)
class Room:
    """How much a project may still store, as it was when its upload was let in."""

    project: str
    used_bytes: int
    limit_bytes: int

    def check(self, size_bytes: int) -> None:
        """Raise ``Refusal`` where a payload that has so many bytes, or more, does not fit."""
        if self.used_bytes + max(size_bytes, 1) > self.limit_bytes:
            raise _too_much_stored(self.project, self.used_bytes, size_bytes, self.limit_bytes)


class Quotas:
    """The quotas as a node's settings say. Where none is set, the database is asked for nothing.

    An upload that was not heard of for ``stale_after_s`` is not under way.
    """

    def __init__(self, settings: QuotaSettings, *, stale_after_s: float) -> None:
        self._settings = settings
        self._stale_after_s = stale_after_s

    async def check_new(self, transaction: Transaction, header: Header, actor: Actor) -> Room | None:
        """Raise ``Refusal`` where one more upload is too many; None where there is no end to the room."""
        mine, its = self._settings.of_principal(actor.principal), self._settings.of_project(header.project)
        if mine.uploads_a_day is not None or mine.uploads_at_once is not None:
            await usage.lock_usage(transaction, f"principal {actor.principal}")
        await self._check_at_once(transaction, header, actor)
        validates = header.validate_only
        if (most := mine.uploads_a_day) is not None:
            who_may = f"{actor.principal} may {'have validated' if validates else 'upload'}"
            await _check_day(transaction, "principal", actor.principal, who_may, most, validates=validates)
        if (most := its.uploads_a_day) is not None:
            await usage.lock_usage(transaction, f"project {header.project}")
            who_may = f"the project {header.project} may be {'validated for' if validates else 'uploaded to'}"
            await _check_day(transaction, "project", header.project, who_may, most, validates=validates)
        return await self._room(transaction, header)

    async def check_going_on(self, transaction: Transaction, header: Header, actor: Actor) -> Room | None:
        """The same for an upload that broke off and is counted already."""
        if self._settings.of_principal(actor.principal).uploads_at_once is not None:
            await usage.lock_usage(transaction, f"principal {actor.principal}")
        await self._check_at_once(transaction, header, actor)
        return await self._room(transaction, header)

    @asynccontextmanager
    async def storing(self, transaction: Transaction, project: str) -> AsyncIterator[None]:
        """Raise ``Refusal`` where the block, under the project's lock, makes it store too much."""
        limit_bytes = self._settings.of_project(project).stored_bytes
        if limit_bytes is None:
            yield
            return
        before_bytes = await usage.stored_bytes(transaction, project)
        yield
        after_bytes = await usage.stored_bytes(transaction, project)
        if after_bytes > max(limit_bytes, before_bytes):
            raise _too_much_stored(project, before_bytes, after_bytes - before_bytes, limit_bytes)

    async def _room(self, transaction: Transaction, header: Header) -> Room | None:
        limit_bytes = self._settings.of_project(header.project).stored_bytes
        if limit_bytes is None:
            return None
        sha256 = header.payload_sha256
        if sha256 and await releases.has_stored_payload(transaction, header.project, sha256):
            # It adds nothing.
            return None
        room = Room(header.project, await usage.stored_bytes(transaction, header.project), limit_bytes)
        room.check(header.payload_size_bytes or 0)
        return room

    async def _check_at_once(self, transaction: Transaction, header: Header, actor: Actor) -> None:
        most = self._settings.of_principal(actor.principal).uploads_at_once
        if most is None:
            return
        used = await usage.uploads_under_way(
            transaction, actor.principal, beside=header.deployment_id, stale_after_s=self._stale_after_s
        )
        if used >= most:
            raise _exceeded(
                "principal.uploads_at_once",
                f"{actor.principal} may have {most} uploads under way at once, and has {used}",
                "wait until one has ended",
                used,
                most,
            )


def midnight_before(now: datetime) -> datetime:
    """When the day of ``now`` began, in UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


async def _check_day(
    transaction: Transaction, whose: usage.Whose, name: str, who_may: str, most: int, *, validates: bool
) -> None:
    now = await transaction.now()
    today = midnight_before(now)
    count = usage.validations_since if validates else usage.uploads_since
    used = await count(transaction, whose, name, since=today, most=most)
    if used >= most:
        raise _exceeded(
            f"{whose}.uploads_a_day",
            f"{who_may} {most} times a day, and {used} of them are used up today",
            "try again from 00:00 UTC on",
            used,
            most,
            retry_after_s=(today + timedelta(days=1) - now).total_seconds(),
        )


def _too_much_stored(project: str, used_bytes: int, more_bytes: int, limit_bytes: int) -> Refusal:
    return _exceeded(
        "project.stored_bytes",
        f"the project {project} may store {limit_bytes} bytes and stores {used_bytes}: "
        f"{max(more_bytes, 1)} more do not fit",
        "delete payloads of old releases and call again, or have the quota raised",
        used_bytes,
        limit_bytes,
    )


def _exceeded(
    quota: str, what: str, advice: str, used: int, limit: int, *, retry_after_s: float | None = None
) -> Refusal:
    return Refusal(
        Reason.QUOTA_EXCEEDED,
        f"{what} (`quotas.{quota}`): {advice}",
        retry_after_s=retry_after_s,
        metadata={"quota": quota, "used": str(used), "limit": str(limit)},
    )
