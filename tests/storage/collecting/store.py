"""A store under collection: payloads uploaded and released as a server does it, and what must hold of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Table, func, insert, select, update

from longshore_storage.catalogue import releases, stored_payloads, tables, uploads
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.catalogue.rows import Actor, Release
from longshore_storage.collecting import CollectingReport, CollectingSettings, Collector, Retention
from tests.storage.payloads.world import World, send

NO_TIME = timedelta(0)
DAY = timedelta(days=1)
# Everything that nothing names goes at once; an upload is dead only when a test makes it so.
AT_ONCE = CollectingSettings(
    resume_for=DAY, keep_unnamed=NO_TIME, keep_unfinished=NO_TIME, grace=NO_TIME, orphans_after=NO_TIME
)
KEEP_ALL = Retention(lambda project, environment: RetentionPolicy(), 5)
ABANDONED = {"reason": "UPLOAD_ABANDONED", "message": "nobody resumed it"}


@dataclass
class Store:
    """A world with releases in it."""

    world: World
    given_up: list[str] = field(default_factory=list)

    def collector(self, settings: CollectingSettings = AT_ONCE, retention: Retention = KEEP_ALL) -> Collector:
        return Collector(
            self.world.catalogue,
            self.world.blobs,
            settings,
            retention,
            actor=Actor("node:one"),
            abandoned=ABANDONED,
            given_up=self.given_up.append,
        )

    async def collect(
        self,
        settings: CollectingSettings = AT_ONCE,
        retention: Retention = KEEP_ALL,
        *,
        now: bool = False,
        listed_share: float = 1.0,
    ) -> CollectingReport:
        report = CollectingReport()
        await self.collector(settings, retention).run(report, now=now, listed_share=listed_share)
        return report

    async def rehearse(
        self, settings: CollectingSettings = AT_ONCE, retention: Retention = KEEP_ALL
    ) -> CollectingReport:
        report = CollectingReport()
        await self.collector(settings, retention).rehearse(report)
        return report

    async def upload(self, data: bytes, *, project: str = "netops") -> str:
        """Store a payload without recording it; the upload's id."""
        deployment_id = await self.world.begin(project=project)
        async with self.world.writer(deployment_id, project=project) as writer:
            await send(writer, data)
            await writer.finish()
        return deployment_id

    async def begin_and_break_off(self, data: bytes, *, project: str = "netops") -> str:
        """Store a part and leave it; the upload's id."""
        deployment_id = await self.world.begin(project=project)
        async with self.world.writer(deployment_id, project=project) as writer:
            await send(writer, data)
            await writer.flush()
        return deployment_id

    async def release(self, data: bytes, version: str = "1.0.0", *, project: str = "netops") -> Release:
        """Upload and record."""
        return await self.record(await self.upload(data, project=project), data, version, project=project)

    async def record(
        self, deployment_id: str, data: bytes, version: str, *, project: str = "netops"
    ) -> Release:
        """End an upload with a release that names its payload."""
        sha256 = hashlib.sha256(data).hexdigest()
        async with self.world.catalogue.transaction() as transaction:
            release = await releases.insert_release(
                transaction, **release_values(project, version, sha256, len(data), deployment_id)
            )
            await uploads.drop_upload(transaction, deployment_id)
        return release

    async def drop(self, deployment_id: str) -> None:
        """End an upload without a release."""
        async with self.world.catalogue.transaction() as transaction:
            await uploads.drop_upload(transaction, deployment_id)

    async def reclaim(self, release: Release) -> None:
        """Drop a release's reference to its payload."""
        await self.set_all(tables.release, {"stored_payload": None}, tables.release.c.id == release.id)

    async def silence(self, deployment_id: str) -> None:
        """Make an upload's last sign of life two days old."""
        u = tables.upload
        async with self.world.catalogue.transaction() as transaction:
            await transaction.execute(
                update(u)
                .where(u.c.deployment_id == deployment_id)
                .values(heartbeat_time=await transaction.now() - 2 * DAY, held=False)
            )

    async def make_older(self, table: Table, column: str, by: timedelta = 2 * DAY) -> None:
        async with self.world.catalogue.transaction() as transaction:
            await transaction.execute(update(table).values({column: await transaction.now() - by}))

    async def set_all(self, table: Table, values: dict[str, Any], condition: Any) -> None:
        async with self.world.catalogue.transaction() as transaction:
            await transaction.execute(update(table).where(condition).values(**values))

    async def insert(self, table: Table, **values: Any) -> None:
        async with self.world.catalogue.transaction() as transaction:
            await transaction.execute(insert(table).values(**values))

    async def rows(self, table: Table) -> list[Row[Any]]:
        async with self.world.catalogue.reading() as transaction:
            return list(await transaction.all(select(table).order_by(*table.primary_key.columns)))

    async def all_rows(self) -> dict[str, list[Row[Any]]]:
        return {table.name: await self.rows(table) for table in tables.metadata.sorted_tables}

    async def count(self, table: Table) -> int:
        async with self.world.catalogue.reading() as transaction:
            return int((await transaction.execute(select(func.count()).select_from(table))).scalar() or 0)

    async def objects(self) -> set[str]:
        """The keys of all objects but the catalogue's own mark."""
        return {key for key in await self.world.keys("") if not key.startswith("catalogues/")}

    async def named(self) -> set[str]:
        """The keys that rows name as stored."""
        packs = await self.rows(tables.pack_file)
        return {pack.key for pack in packs if pack.state != "WRITING"} | {
            payload.manifest_key for payload in await self.rows(tables.payload)
        }

    async def is_readable(self, data: bytes) -> bool:
        """Whether the payload is stored; if so it must read back as it was."""
        sha256 = hashlib.sha256(data).hexdigest()
        async with self.world.catalogue.reading() as transaction:
            if await stored_payloads.get_payload(transaction, sha256) is None:
                return False
        assert await self.world.read(sha256) == data
        return True


def release_values(
    project: str, version: str, sha256: str, size_bytes: int, deployment_id: str
) -> dict[str, Any]:
    return {
        "project": project,
        "version": version,
        "version_key": version,
        "version_order": version,
        "payload_sha256": sha256,
        "stored_payload": sha256,
        "content_sha256": sha256,
        "payload_size_bytes": size_bytes,
        "payload_format": "FILE",
        "file_name": "file",
        "entries": 1,
        "unpacked_size_bytes": size_bytes,
        "created_by": "tests",
        "deployment_id": deployment_id,
    }


def as_told(report: CollectingReport) -> dict[str, Any]:
    """What a report tells, without what is zero."""
    told: dict[str, Any] = json.loads(json.dumps({name: getattr(report, name) for name in report.__slots__}))
    return {name: value for name, value in told.items() if value}
