"""What nothing names (payloads, drafts, pack files, projects): its rows go, its objects are condemned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from longshore_storage.catalogue import Catalogue, Transaction, garbage, projects
from longshore_storage.catalogue.garbage import Dropped
from longshore_storage.errors import ConstraintViolated

from .pace import Pace
from .settings import CollectingSettings

# A payload may need thousands of pack files, a pack file may hold thousands of chunks.
_FIRST_PAGE, _LARGEST_PAGE = 32, 1000

_Drop = Callable[[Transaction, Sequence[str]], Awaitable[Dropped]]


class _Find(Protocol):
    async def __call__(self, transaction: Transaction, *, after: str, limit: int) -> Sequence[str]: ...


def drop_payloads(catalogue: Catalogue, settings: CollectingSettings) -> AsyncIterator[Dropped]:
    """Drop the payloads that neither a release nor an upload names, batch by batch."""

    async def find(transaction: Transaction, *, after: str, limit: int) -> Sequence[str]:
        before = await transaction.now() - settings.keep_unnamed
        return await garbage.unnamed_payloads(transaction, before=before, after=after, limit=limit)

    return _in_batches(catalogue, find, garbage.drop_payloads)


def drop_drafts(catalogue: Catalogue, settings: CollectingSettings) -> AsyncIterator[Dropped]:
    """Drop the manifests that were begun and never named, batch by batch."""

    async def find(transaction: Transaction, *, after: str, limit: int) -> Sequence[str]:
        before = await transaction.now() - settings.keep_unfinished
        return await garbage.old_drafts(transaction, before=before, after=after, limit=limit)

    return _in_batches(catalogue, find, garbage.drop_drafts)


def drop_packs(catalogue: Catalogue, settings: CollectingSettings) -> AsyncIterator[Dropped]:
    """Drop the pack files that no payload and no upload needs, batch by batch.

    One that is still being written is dropped as well when it is old enough: mostly its upload broke off,
    and one that goes on stores its bytes again.
    """

    async def find(transaction: Transaction, *, after: str, limit: int) -> Sequence[str]:
        now = await transaction.now()
        return await garbage.unnamed_packs(
            transaction,
            before=now - settings.keep_unnamed,
            unfinished_before=now - settings.keep_unfinished,
            after=after,
            limit=limit,
        )

    return _in_batches(catalogue, find, garbage.drop_packs)


async def _in_batches(catalogue: Catalogue, find: _Find, drop: _Drop) -> AsyncIterator[Dropped]:
    pace, after = Pace(_FIRST_PAGE, most=_LARGEST_PAGE), ""
    while True:
        limit = pace.limit
        async with catalogue.reading() as transaction:
            page = await find(transaction, after=after, limit=limit)
        if page:
            with pace.measured():
                async with catalogue.transaction() as transaction:
                    dropped = await drop(transaction, page)
            yield dropped
        if len(page) < limit:
            return
        after = page[-1]


async def drop_projects(catalogue: Catalogue) -> None:
    """Forget projects that only validated uploads ever named."""
    # One that is named again in this moment stays for the next run.
    with suppress(ConstraintViolated):
        async with catalogue.transaction() as transaction:
            await projects.drop_only_validated(transaction)
