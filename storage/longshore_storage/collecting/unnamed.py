"""Payloads, drafts and pack files that nothing names: their rows go, their objects are condemned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from longshore_storage.catalogue import Catalogue, Transaction, garbage
from longshore_storage.catalogue.garbage import Dropped

from .pace import Pace

# A payload may need thousands of pack files, a pack file may hold thousands of chunks.
_FIRST_PAGE, _LARGEST_PAGE = 32, 1000

_Drop = Callable[[Transaction, Sequence[str]], Awaitable[Dropped]]


class _Find(Protocol):
    async def __call__(
        self, transaction: Transaction, *, before: datetime, after: str, limit: int
    ) -> Sequence[str]: ...


def drop_payloads(catalogue: Catalogue, keep_for: timedelta) -> AsyncIterator[Dropped]:
    """Drop the payloads that neither a release nor an upload names, batch by batch."""
    return _in_batches(catalogue, keep_for, garbage.unnamed_payloads, garbage.drop_payloads)


def drop_drafts(catalogue: Catalogue, keep_for: timedelta) -> AsyncIterator[Dropped]:
    """Drop the manifests that were begun and never named, batch by batch."""
    return _in_batches(catalogue, keep_for, garbage.old_drafts, garbage.drop_drafts)


def drop_packs(catalogue: Catalogue, keep_for: timedelta) -> AsyncIterator[Dropped]:
    """Drop the pack files that no payload and no upload needs, batch by batch.

    One that is only just written, by an upload that broke off or still goes on, is dropped as well when it
    is old enough: who goes on stores its bytes again.
    """
    return _in_batches(catalogue, keep_for, garbage.unnamed_packs, garbage.drop_packs)


async def _in_batches(
    catalogue: Catalogue, keep_for: timedelta, find: _Find, drop: _Drop
) -> AsyncIterator[Dropped]:
    pace, after = Pace(_FIRST_PAGE, most=_LARGEST_PAGE), ""
    while True:
        limit = pace.limit
        async with catalogue.reading() as transaction:
            before = await transaction.now() - keep_for
            page = await find(transaction, before=before, after=after, limit=limit)
        if page:
            with pace.measured():
                async with catalogue.transaction() as transaction:
                    dropped = await drop(transaction, page)
            yield dropped
        if len(page) < limit:
            return
        after = page[-1]
