"""What is done to a store besides uploading: reading, deleting, collecting, compacting, healing."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from longshore_server.collecting.deletion import PayloadDeletion
from longshore_storage.catalogue import tables
from longshore_storage.collecting import CollectingReport
from longshore_storage.errors import CorruptBlob
from longshore_storage.payloads import PayloadNotStored, Sha256Mismatch, UploadLost
from tests.storage.healing.hurt_world import blocks_of

from .audit import Audit
from .faults import Fault, Way
from .process import ACTOR, COLLECTING, Process
from .world import BrokeOff, Step, World


@dataclass(frozen=True, repr=False)
class Read(Step):
    """Somebody downloads what a release names, from some byte on; ``meanwhile`` happens in the middle."""

    which: int
    at: float = 0.0
    on: int = 0
    meanwhile: tuple[Step, ...] = ()
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        kept = world.model.kept()
        if not kept:
            return
        release = kept[self.which % len(kept)]
        begin = world.clock.waited
        offset = int(len(release.data) * self.at)

        async def read(process: Process) -> bytes:
            found = b""
            async with process.store.open(release.sha256) as reader:
                async for piece in reader.stream(offset):
                    if not found:
                        await world.meanwhile(self.meanwhile)
                    found += piece
            return found

        with world.present():
            try:
                found = await world.attempt(self.on, self.fault, read)
            except (CorruptBlob, PayloadNotStored) as error:
                in_time = world.clock.waited - begin < COLLECTING.grace and not world.is_grace_left_out
                if isinstance(error, CorruptBlob) or (in_time and release.is_kept):
                    assert world.bucket.ever_hurt or not in_time
                return
        assert isinstance(found, BrokeOff) or found == release.data[offset:]


@dataclass(frozen=True, repr=False)
class Delete(Step):
    """DeletePayload of a release."""

    which: int
    on: int = 0
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        kept = world.model.kept()
        if not kept:
            return
        release = kept[self.which % len(kept)]

        async def delete(process: Process) -> None:
            deletion = PayloadDeletion(process.catalogue, rollback_targets=0)
            await deletion.delete(release.project, release.version, ACTOR, force=False)

        with world.present() as presence:
            outcome = await world.attempt(self.on, self.fault, delete)
            await look_up_releases(world)
            assert isinstance(outcome, BrokeOff) or not presence.alone or not release.is_kept


@dataclass(frozen=True, repr=False)
class Collect(Step):
    """A run of collecting, as the timer or an administrator does it; with ``rehearsed`` a dry run before."""

    keep_releases: int | None = None
    now: bool = False
    listed_share: float = 1.0
    rehearsed: bool = False
    on: int = 0
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        with world.present() as presence:
            young = await _young_rows(world)
            may_go = world.model.beyond(self.keep_releases) if self.keep_releases is not None else set()
            told, report = CollectingReport(), CollectingReport()

            async def collect(process: Process) -> None:
                collector = process.collector(self.keep_releases)
                if self.rehearsed:
                    await collector.rehearse(told, now=self.now)
                await collector.run(report, now=self.now, listed_share=self.listed_share)

            if self.now:
                # Without the grace, what an older copy of the database names may be gone.
                world.backup = None
            with world.grace_left_out(self.now):
                outcome = await world.attempt(self.on, self.fault, collect)
            went = await look_up_releases(world)
            if not presence.alone:
                return
            assert young <= await _all_keys(world), "collected before its time"
            assert went <= may_go, "retention took what it should keep"
            if isinstance(outcome, BrokeOff):
                return
            assert went == may_go, "retention left what nothing keeps"
            if self.rehearsed and self.listed_share == 1.0:
                assert asdict(told) == asdict(report)
            world.afterwards.append(Audit.check_collected)


@dataclass(frozen=True, repr=False)
class Compact(Step):
    """Pack files less than half live are emptied."""

    on: int = 0
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        async def compact(process: Process) -> int:
            await process.compaction().run()
            return len((await process.compaction().plan()).candidates)

        with world.present() as presence:
            left = await world.attempt(self.on, self.fault, compact)
            if presence.alone and not isinstance(left, BrokeOff):
                assert left == 0 or world.bucket.ever_hurt, "it left what is less than half live"


@dataclass(frozen=True, repr=False)
class Scrub(Step):
    """Everything is read; ``resume`` goes on where the last one broke off."""

    resume: bool = False
    on: int = 0
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        async def scrub(process: Process) -> None:
            await process.scrub().run(resume=self.resume)

        with world.present() as presence:
            outcome = await world.attempt(self.on, self.fault, scrub)
            if not presence.alone or isinstance(outcome, BrokeOff) or self.resume:
                return
            if self.fault is not None and self.fault.way in (Way.FAILS_BEFORE, Way.FAILS_AFTER):
                # What it could not read it has left for the next one.
                return
            world.afterwards.append(Audit.check_scrubbed)


@dataclass(frozen=True, repr=False)
class Repair(Step):
    """A node that has its tree gives a damaged payload's bytes; ``lies`` has others."""

    which: int
    lies: bool = False
    on: int = 0
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        damaged = {row.sha256 for row in await world.rows(tables.payload, tables.payload.c.damage != "")}
        releases = [release for release in world.model.kept() if release.sha256 in damaged]
        if not releases:
            return
        release = releases[self.which % len(releases)]
        data = release.data[:-1] + b"!" if self.lies else release.data

        async def repair(process: Process) -> bool:
            return await process.repair().repair_payload(release.sha256, blocks_of(data, 2000))

        with world.present() as presence:
            try:
                outcome = await world.attempt(self.on, self.fault, repair)
            except Sha256Mismatch:
                assert self.lies
                return
            except (UploadLost, PayloadNotStored):
                assert not presence.alone
                return
            if not presence.alone or isinstance(outcome, BrokeOff):
                return
            assert outcome, "it was damaged"

        def is_repaired(found: Audit) -> None:
            # It may count on what is damaged, and not found yet.
            assert not [row for row in found.rows["payload"] if row.sha256 == release.sha256 and row.damage]

        world.afterwards.append(is_repaired)


async def look_up_releases(world: World) -> set[tuple[str, str]]:
    """See which releases have lost their payload, and tell those that had it."""
    went = set()
    for row in await world.rows(tables.release):
        release = world.model.releases.get((row.project, row.version))
        if release is not None and release.is_kept and row.stored_payload is None:
            release.is_kept = False
            went.add((row.project, row.version))
    await look_up_uploads(world)
    return went


async def look_up_uploads(world: World) -> None:
    """See which uploads were given up."""
    left = {row.deployment_id for row in await world.rows(tables.upload)}
    for upload in world.model.unfinished():
        if upload.is_begun and upload.id not in left:
            del world.model.uploads[upload.id]


async def _young_rows(world: World) -> set[str]:
    """The rows that no run of collecting may take yet, whatever names them."""
    now = await world.now()
    u, f = tables.upload, tables.pack_file
    uploads = await world.rows(u, u.c.heartbeat_time > now - COLLECTING.resume_for)
    packs = await world.rows(f, f.c.create_time > now - COLLECTING.keep_unnamed)
    return {row.deployment_id for row in uploads} | {row.key for row in packs}


async def _all_keys(world: World) -> set[str]:
    return {row.deployment_id for row in await world.rows(tables.upload)} | {
        row.key for row in await world.rows(tables.pack_file)
    }
