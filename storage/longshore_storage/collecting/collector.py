"""One run of collecting: step after step, each in small transactions, each safe to repeat.

The order lets one run follow a reference to its end: uploads and releases, then payloads, then pack files,
then objects; old events stand by themselves. Every object is named by a row from before its put until its
removal, and a row goes only while nothing names it, so that a run may break off anywhere, run beside another
one, and run beside anything else. A lock is only there to spare work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from longshore_storage.catalogue import Catalogue, chores
from longshore_storage.catalogue.rows import Actor
from longshore_storage.ports import BlobStore

from . import old_events, unnamed
from .dead_uploads import give_up_dead_uploads
from .orphans import SLICES, condemn_orphans, note_orphans
from .ownership import leave_mark, why_not_ours_alone
from .rehearsal import rehearse
from .removal import remove_condemned
from .report import CollectingReport
from .retention import Retention, reclaim_payloads
from .settings import CollectingSettings

CHORE: Final = "collecting"


class Collector:
    """Collects what nothing names.

    ``actor`` stands in the audit trail; ``abandoned`` becomes the error of deployments whose upload nobody
    resumed, and ``given_up`` is told their ids.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        settings: CollectingSettings,
        retention: Retention,
        *,
        actor: Actor,
        abandoned: Mapping[str, Any],
        given_up: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._settings = settings
        self._retention = retention
        self._actor = actor
        self._abandoned = abandoned
        self._given_up = given_up

    async def is_due(self, every: timedelta) -> bool:
        """Whether the last run, on whatever node, ended longer than ``every`` ago."""
        async with self._catalogue.reading() as transaction:
            return await chores.is_due(transaction, CHORE, every)

    async def rehearse(self, report: CollectingReport, *, now: bool = False) -> None:
        """Count into ``report`` what ``run`` would remove; nothing is changed."""
        await rehearse(self._catalogue, self._blobs, self._settings_of(now), self._retention, report)

    async def run(self, report: CollectingReport, *, now: bool = False, listed_share: float = 1.0) -> None:
        """Do every step once; ``report`` counts along, so that it tells also what a broken run did.

        ``now`` leaves the grace out: condemned objects are removed at once, whoever still reads them.
        ``listed_share`` of the store is looked through for orphans. Raises what the stores raise.
        """
        settings = self._settings_of(now)
        report.uploads_given_up += await give_up_dead_uploads(
            self._catalogue,
            resume_for=settings.resume_for,
            actor=self._actor,
            error=self._abandoned,
            given_up=self._given_up,
        )
        releases, size_bytes = await reclaim_payloads(self._catalogue, self._retention, self._actor)
        report.releases_reclaimed += releases
        report.reclaimed_bytes += size_bytes
        async for dropped in unnamed.drop_payloads(self._catalogue, settings):
            report.add_payloads(dropped)
        async for dropped in unnamed.drop_drafts(self._catalogue, settings):
            report.add_drafts(dropped)
        async for dropped in unnamed.drop_packs(self._catalogue, settings):
            report.add_packs(dropped)
        await unnamed.drop_projects(self._catalogue)
        await leave_mark(self._catalogue, self._blobs)
        report.orphans_skipped = await why_not_ours_alone(self._catalogue, self._blobs)
        if not report.orphans_skipped:
            await self._look_for_orphans(report, settings, listed_share)
        async for removed in remove_condemned(self._catalogue, self._blobs, settings.grace):
            report.objects_removed += len(removed)
            report.removed_bytes += sum(one.size_bytes for one in removed)
        async for compacted in old_events.compact_old_events(self._catalogue, settings.events_for):
            report.events_dropped += compacted.events
            report.hook_outputs_dropped += compacted.hook_runs
        async with self._catalogue.transaction() as transaction:
            await chores.mark_done(transaction, CHORE)

    async def _look_for_orphans(
        self, report: CollectingReport, settings: CollectingSettings, listed_share: float
    ) -> None:
        slices = min(max(round(len(SLICES) * listed_share), 1), len(SLICES))
        found = note_orphans(self._catalogue, self._blobs, settings.orphans_after, slices=slices)
        async with aclosing(found):
            async for orphans in found:
                report.add_orphans(orphans)
        async with aclosing(condemn_orphans(self._catalogue, settings.orphans_after)) as condemned:
            async for dropped in condemned:
                report.add_condemned(dropped)

    def _settings_of(self, now: bool) -> CollectingSettings:
        return replace(self._settings, grace=timedelta(0)) if now else self._settings
