"""What happens to stores: time passes, objects are hurt, puts land late, databases are lost and come back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, insert, select, update

from longshore_storage.catalogue import append_only, tables
from longshore_storage.catalogue.deployments import get_deployment, set_columns
from longshore_storage.catalogue.projects import lock_live
from longshore_storage.catalogue.releases import insert_release
from longshore_storage.collecting import take_over
from tests.storage.catalogue.rows import insert_a_deployment
from tests.storage.collecting.store import release_values

from .audit import audit
from .faults import Fault
from .model import Model, Release
from .process import COLLECTING, Process
from .telling import ToldEnum
from .world import BrokeOff, Step, World

KEPT_UNNAMED = timedelta(days=30)
_STORED = (
    tables.pin,
    tables.upload_segment,
    tables.upload,
    tables.chunk,
    tables.payload_pack,
    tables.payload,
    tables.pack_file,
    tables.manifest_draft,
    tables.condemned,
    tables.orphan,
    tables.identity,
    tables.chore,
)


@dataclass(frozen=True, repr=False)
class Wait(Step):
    """Time passes for everybody."""

    hours: float

    async def take(self, world: World) -> None:
        world.clock.wait(timedelta(hours=self.hours))


@dataclass(frozen=True, repr=False)
class Land(Step):
    """The store does what it took from processes that have died since."""

    async def take(self, world: World) -> None:
        await world.bucket.land()


class Hurt(ToldEnum):
    """What may become of an object."""

    FLIPPED = "a bit is flipped"
    CUT = "its end is missing"
    GONE = "it is gone"
    HEALED = "it is as it was again"


@dataclass(frozen=True, repr=False)
class Damage(Step):
    """An object that a payload needs is hurt, at the share ``at`` of its bytes."""

    which: int
    how: Hurt
    at: float = 0.5

    async def take(self, world: World) -> None:
        bucket = world.bucket
        if self.how is Hurt.HEALED:
            if bucket.hurt:
                await bucket.heal_object(_chosen(sorted(bucket.hurt), self.which))
            return
        packs = {row.pack_key for row in await world.rows(tables.payload_pack)}
        manifests = {row.manifest_key for row in await world.rows(tables.payload)}
        keys = sorted((packs | manifests) & bucket.contents.keys() - bucket.hurt.keys())
        if not keys:
            return
        key = _chosen(keys, self.which)
        body = bucket.contents[key]
        at = min(int(len(body) * self.at), len(body) - 1)
        match self.how:
            case Hurt.FLIPPED:
                await bucket.hurt_object(key, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
            case Hurt.CUT:
                await bucket.hurt_object(key, body[:at])
            case Hurt.GONE:
                await bucket.hurt_object(key, None)


@dataclass(frozen=True, repr=False)
class AtOnce(Step):
    """Two steps side by side."""

    first: Step
    second: Step

    async def take(self, world: World) -> None:
        with world.present():
            works = [asyncio.create_task(step.take(world)) for step in (self.first, self.second)]
            await asyncio.wait(works)
        for work in works:
            work.result()


class Lost(ToldEnum):
    """What of the database is gone."""

    NOTHING = "nothing"
    STORED = "everything about what is stored"
    ALL = "everything"


@dataclass(frozen=True, repr=False)
class Rebuild(Step):
    """Rows are rebuilt from the bucket alone, in spite of a fault."""

    lost: Lost = Lost.STORED
    on: int = 0
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        before = await audit(world)
        kept = [release for release in world.model.kept() if before.is_sound[release.sha256]]
        await self._lose(world)

        async def rebuild(process: Process) -> None:
            await process.rebuild("netops", KEPT_UNNAMED).run()
            if self.lost is not Lost.NOTHING:
                await take_over(process.catalogue, process.blobs)

        with world.present():
            outcome = await world.attempt(self.on, self.fault, rebuild)
            if isinstance(outcome, BrokeOff):
                await world.attempt(self.on, None, rebuild)
            if self.lost is Lost.ALL:
                await _release_again(world, kept)
        # What no release names, the index has for the project that the rebuild is told.
        world.model.sent |= {("netops", digest) for digest in world.model.ever_sent}
        for row in await world.rows(tables.release):
            release = world.model.releases[row.project, row.version]
            release.is_kept = row.stored_payload is not None
            assert release.is_kept or release not in kept, f"{release.version} was not rebuilt"

    async def _lose(self, world: World) -> None:
        if self.lost is Lost.NOTHING:
            return
        tables_lost = _STORED if self.lost is Lost.STORED else _everything()
        async with world.hand.transaction() as transaction, append_only.lifted(transaction):
            if self.lost is Lost.STORED:
                await transaction.execute(update(tables.release).values(stored_payload=None))
            for table in tables_lost:
                await transaction.execute(table.delete())
        model = world.model
        model.uploads.clear()
        if self.lost is Lost.ALL:
            model.releases.clear()
        world.bucket.strays |= world.bucket.contents.keys()
        world.backup = None


@dataclass(frozen=True, repr=False)
class Backup(Step):
    """The database is copied, with what it says about everything."""

    async def take(self, world: World) -> None:
        async with world.hand.reading() as transaction:
            rows = {
                table: [dict(row._mapping) for row in await transaction.all(select(table))]
                for table in _everything()
            }
        world.backup = Copy(world.clock.waited, rows, world.model.copied())


@dataclass(frozen=True, repr=False)
class Restore(Step):
    """The database is again what it was when it was copied, less than the grace ago."""

    async def take(self, world: World) -> None:
        copy = world.backup
        if copy is None or world.clock.waited - copy.time >= COLLECTING.grace:
            return
        async with world.hand.transaction() as transaction, append_only.lifted(transaction):
            for table in _everything():
                await transaction.execute(table.delete())
            for table in reversed(_everything()):
                if copy.rows[table]:
                    await transaction.execute(insert(table), copy.rows[table])
        world.model.return_to(copy.model)
        world.bucket.strays |= world.bucket.contents.keys()
        # A copy from before the first collecting has another mark in the bucket than what was left since.
        process = await world.process(0)
        await take_over(process.catalogue, process.blobs)


@dataclass(frozen=True)
class Copy:
    """A copy of the database; ``rows`` are complete."""

    time: timedelta
    rows: dict[Table, list[dict[str, Any]]]
    model: Model


async def _release_again(world: World, releases: list[Release]) -> None:
    """Whoever lost the database knows what he had deployed."""
    async with world.hand.transaction() as transaction:
        for release in releases:
            deployment_id = await insert_a_deployment(transaction, project=release.project)
            values = release_values(
                release.project, release.version, release.sha256, len(release.data), deployment_id
            )
            row = await insert_release(transaction, **values)
            await set_columns(transaction, deployment_id, release_id=row.id, status="FAILED")
            await lock_live(transaction, release.project, "default")
            deployment = await get_deployment(transaction, deployment_id)
            assert deployment is not None
            release.number = deployment.number
            world.model.releases[release.project, release.version] = release


def _everything() -> list[Table]:
    """All tables, those that refer to others before these."""
    return list(reversed(tables.metadata.sorted_tables))


def _chosen(keys: list[str], which: int) -> str:
    return keys[which % len(keys)]
