"""Events of deployments that ended long ago are compacted to their changes of status, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NamedTuple

from longshore_storage.catalogue import Catalogue, old_events

from .pace import Pace

_DEPLOYMENTS_AT_ONCE = 200
# Of a hook up to 16 KiB are kept.
_HOOK_RUNS_AT_ONCE = 200
_FIRST_PAGE, _LARGEST_PAGE = 500, 10_000


class DroppedEvents(NamedTuple):
    """What one page removed: events, and runs of hooks with what they had put out."""

    events: int
    hook_runs: int


async def compact_old_events(catalogue: Catalogue, events_for: timedelta) -> AsyncIterator[DroppedEvents]:
    """Compact every deployment that ended longer than ``events_for`` ago.

    One that breaks off is gone on with by the next run; two beside each other do no harm.
    """
    pace = Pace(_FIRST_PAGE, most=_LARGEST_PAGE)
    while True:
        async with catalogue.reading() as transaction:
            before = await transaction.now() - events_for
            page = await old_events.old_deployments(transaction, before=before, limit=_DEPLOYMENTS_AT_ONCE)
        for deployment_id in page:
            dropped = _HOOK_RUNS_AT_ONCE
            while dropped == _HOOK_RUNS_AT_ONCE:
                async with catalogue.transaction() as transaction:
                    dropped = await old_events.drop_hook_outputs(
                        transaction, deployment_id, limit=_HOOK_RUNS_AT_ONCE
                    )
                yield DroppedEvents(0, dropped)
            done = False
            while not done:
                with pace.measured():
                    async with catalogue.transaction() as transaction:
                        events, done = await old_events.compact_events(
                            transaction, deployment_id, limit=pace.limit
                        )
                yield DroppedEvents(events, 0)
        if len(page) < _DEPLOYMENTS_AT_ONCE:
            return
