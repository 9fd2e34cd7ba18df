"""A dry run: what a run would remove, counted without changing a row or holding anybody up.

What would go first is noted in temporary tables, so that what hangs on it is counted too: the pack files of
the payloads of the releases that retention would drop. The transaction is rolled back, and they are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Select, Table, Text, func, insert, select
from sqlalchemy.schema import CreateTable

from longshore_storage.catalogue import Catalogue, Transaction, garbage, old_events, tables
from longshore_storage.catalogue.garbage import MANIFEST_ENTRY_BYTES, Dropped, StoredObject
from longshore_storage.catalogue.retaining import is_reclaimable
from longshore_storage.ports import BlobStore

from .dead_uploads import is_dead
from .orphans import SLICES, new_orphans
from .ownership import why_not_ours_alone
from .report import CollectingReport
from .retention import Retention, limited_projects
from .settings import CollectingSettings

_PAGE = 1000

_temporary = MetaData()


def _doomed(name: str, kind: Any) -> Table:
    return Table(
        f"doomed_{name}",
        _temporary,
        Column("key", kind, primary_key=True),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


_uploads = _doomed("upload", Text)
_releases = _doomed("release", BigInteger)
_payloads = _doomed("payload", Text)
_packs = _doomed("pack_file", Text)

_f, _p, _r = tables.pack_file, tables.payload, tables.release


async def rehearse(
    catalogue: Catalogue,
    blobs: BlobStore,
    settings: CollectingSettings,
    retention: Retention,
    report: CollectingReport,
) -> None:
    """Count into ``report`` what a run would remove just now."""
    async with catalogue.rehearsing() as transaction:
        for table in (_uploads, _releases, _payloads, _packs):
            await transaction.execute(CreateTable(table))
        await _count_uploads(transaction, settings, report)
        await _count_releases(transaction, catalogue, retention, report)
        await _count_unnamed(transaction, settings, report)
        report.events_dropped, report.hook_outputs_dropped = await old_events.count_old(
            transaction, before=await transaction.now() - settings.events_for
        )
    report.orphans_skipped = await why_not_ours_alone(catalogue, blobs)
    if not report.orphans_skipped:
        await _count_orphans(catalogue, blobs, settings, report)
    await _count_condemned(catalogue, settings, report)


async def _count_uploads(
    transaction: Transaction, settings: CollectingSettings, report: CollectingReport
) -> None:
    u = tables.upload
    dead = select(u.c.deployment_id).where(await is_dead(transaction, settings.resume_for))
    report.uploads_given_up = await _doom(transaction, _uploads, dead)


async def _count_releases(
    transaction: Transaction, catalogue: Catalogue, retention: Retention, report: CollectingReport
) -> None:
    async with aclosing(limited_projects(catalogue, retention)) as limited:
        async for project, policies in limited:
            condition = is_reclaimable(project, policies, retention.rollback_targets, await transaction.now())
            await _doom(transaction, _releases, select(_r.c.id).where(condition))
    doomed = select(_releases.c.key)
    report.releases_reclaimed, report.reclaimed_bytes = await _numbers(
        transaction,
        select(func.count(), func.sum(_r.c.payload_size_bytes)).where(_r.c.id.in_(doomed)),
    )


async def _count_unnamed(
    transaction: Transaction, settings: CollectingSettings, report: CollectingReport
) -> None:
    now = await transaction.now()
    before, unfinished_before = now - settings.keep_unnamed, now - settings.keep_unfinished
    upload_counts = tables.upload.c.deployment_id.not_in(select(_uploads.c.key))
    unnamed = garbage.payload_is_unnamed(_r.c.id.not_in(select(_releases.c.key)), upload_counts)
    await _doom(transaction, _payloads, select(_p.c.sha256).where(_p.c.create_time <= before, unnamed))
    rows, size_bytes = await _numbers(
        transaction,
        select(func.count(), func.sum(_p.c.chunk_count) * MANIFEST_ENTRY_BYTES).where(
            _p.c.sha256.in_(select(_payloads.c.key))
        ),
    )
    report.add_payloads(Dropped(rows, 0, rows, size_bytes))

    d = tables.manifest_draft
    rows, _ = await _numbers(
        transaction, select(func.count(), func.count()).where(d.c.create_time <= unfinished_before)
    )
    report.add_drafts(Dropped(rows, 0, rows, 0))

    pp, pin, c = tables.payload_pack, tables.pin, tables.chunk
    unnamed = garbage.pack_is_unnamed(
        pp.c.payload_sha256.not_in(select(_payloads.c.key)),
        pin.c.deployment_id.not_in(select(_uploads.c.key)),
    )
    await _doom(
        transaction,
        _packs,
        select(_f.c.key).where(garbage.pack_is_old(before, unfinished_before=unfinished_before), unnamed),
    )
    doomed = select(_packs.c.key)
    rows, size_bytes = await _numbers(
        transaction, select(func.count(), func.sum(_f.c.size_bytes)).where(_f.c.key.in_(doomed))
    )
    chunks, _ = await _numbers(
        transaction, select(func.count(), func.count()).where(c.c.pack_key.in_(doomed))
    )
    report.add_packs(Dropped(rows, chunks, rows, size_bytes))


async def _count_orphans(
    catalogue: Catalogue, blobs: BlobStore, settings: CollectingSettings, report: CollectingReport
) -> None:
    for prefix in SLICES:
        async with aclosing(new_orphans(catalogue, blobs, prefix, settings.orphans_after)) as found:
            async for orphans in found:
                report.add_orphans(orphans)
                if not settings.orphans_after:
                    report.add_condemned(_condemned(orphans))
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            before = await transaction.now() - settings.orphans_after
            page = await garbage.old_orphans(transaction, before=before, after=after, limit=_PAGE)
            named = await garbage.named_keys(transaction, [orphan.key for orphan in page])
        report.add_condemned(_condemned([orphan for orphan in page if orphan.key not in named]))
        if len(page) < _PAGE:
            return
        after = page[-1].key


async def _count_condemned(
    catalogue: Catalogue, settings: CollectingSettings, report: CollectingReport
) -> None:
    async with catalogue.reading() as transaction:
        before = await transaction.now() - settings.grace
        due = await garbage.count_condemned(transaction, before=before)
    report.objects_removed, report.removed_bytes = due.objects, due.size_bytes
    if not settings.grace:
        report.objects_removed += report.objects_condemned
        report.removed_bytes += report.condemned_bytes


def _condemned(objects: Sequence[StoredObject]) -> Dropped:
    return Dropped(0, 0, len(objects), sum(found.size_bytes for found in objects))


async def _doom(transaction: Transaction, table: Table, keys: Select[Any]) -> int:
    await transaction.execute(insert(table).from_select(["key"], keys))
    count, _ = await _numbers(transaction, select(func.count(), func.count()).select_from(table))
    return count


async def _numbers(transaction: Transaction, statement: Select[Any, Any]) -> tuple[int, int]:
    row: Sequence[Any] | None = await transaction.one(statement)
    assert row is not None
    return int(row[0] or 0), int(row[1] or 0)
