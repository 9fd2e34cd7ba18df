"""Collecting at size: half of 10,000 releases go, of 20,000 pack files and 5,000,000 chunk rows.

Run: ``python -m benchmarks.collecting [--database postgresql|sqlite] [--scale 1.0]``. The catalogue is filled
by bulk statements, the blob store is a folder of small files; what is timed is ``Collector``: a dry run, the
run that drops and condemns, and the run after the grace, which removes the objects. Memory is the growth of
this process's peak over what it needs to be up.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, open_catalogue, tables
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingReport, CollectingSettings, Collector, Retention
from tests.services.folders import session_folder
from tests.services.postgres_programs import find_postgres
from tests.services.postgres_service import PostgresService

PROJECTS = 10
CHUNKS_A_PACK = 250
_OLD = datetime(2020, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Size:
    """How much there is; pack file 2n and 2n+1 came with release n, which also needs those of n-1."""

    releases: int

    @property
    def packs(self) -> int:
        return 2 * self.releases

    @property
    def chunks(self) -> int:
        return self.packs * CHUNKS_A_PACK


def pack_key(number: int) -> str:
    name = hashlib.md5(str(number).encode()).hexdigest()
    return f"packs/{name[:2]}/{name}"


def manifest_key(number: int) -> str:
    name = hashlib.md5(f"m{number}".encode()).hexdigest()
    return f"manifests/{name[:2]}/{name}"


def sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def project(release: int, size: Size) -> str:
    return f"project-{release * PROJECTS // size.releases}"


async def fill(catalogue: Catalogue, size: Size) -> None:
    """All rows that deploying would have left."""
    names = [f"project-{number}" for number in range(PROJECTS)]
    numbers = range(size.releases)
    await add(catalogue, tables.project, ({"name": n, "display_name": n, "create_time": _OLD} for n in names))
    await add(catalogue, tables.environment, iter([{"name": "default", "create_time": _OLD}]))
    await add(
        catalogue,
        tables.pack_file,
        (
            {"key": pack_key(n), "state": "STORED", "size_bytes": 16 << 20, "create_time": _OLD}
            for n in range(size.packs)
        ),
    )
    await add(catalogue, tables.chunk, chunk_rows(size))
    await add(
        catalogue,
        tables.payload,
        (
            {
                "sha256": sha256(n),
                "size_bytes": 32 << 20,
                "chunk_count": 2 * CHUNKS_A_PACK,
                "manifest_key": manifest_key(n),
                "create_time": _OLD,
            }
            for n in numbers
        ),
    )
    await add(
        catalogue,
        tables.payload_pack,
        (
            {"payload_sha256": sha256(n), "pack_key": pack_key(needed)}
            for n in numbers
            for needed in range(max(2 * n - 2, 0), 2 * n + 2)
        ),
    )
    await add(catalogue, tables.release, (release_row(n, size) for n in numbers))
    await add(catalogue, tables.deployment, (deployment_row(n, size) for n in numbers))
    await add(
        catalogue, tables.project_environment, ({"project": n, "environment": "default"} for n in names)
    )


def chunk_rows(size: Size) -> Iterator[dict[str, Any]]:
    for pack in range(size.packs):
        key, owner = pack_key(pack), project(pack // 2, size)
        for place in range(CHUNKS_A_PACK):
            yield {
                "project": owner,
                "digest": hashlib.sha256(b"%d %d" % (pack, place)).digest(),
                "pack_key": key,
                "offset": 8 + place * 65_536,
                "stored_length": 65_536,
                "raw_length": 65_536,
                "codec": 0,
            }


def release_row(number: int, size: Size) -> dict[str, Any]:
    return {
        "id": number + 1,
        "project": project(number, size),
        "version": f"1.{number}.0",
        "version_key": f"1.{number}.0",
        "version_order": f"{number:08}",
        "payload_sha256": sha256(number),
        "stored_payload": sha256(number),
        "content_sha256": sha256(number),
        "payload_size_bytes": 32 << 20,
        "payload_format": "TAR",
        "file_name": "",
        "entries": 1,
        "unpacked_size_bytes": 1,
        "create_time": _OLD,
        "created_by": "bench",
        "deployment_id": str(number),
    }


def deployment_row(number: int, size: Size) -> dict[str, Any]:
    return {
        "number": number + 1,
        "id": str(number),
        "project": project(number, size),
        "environment": "default",
        "kind": "UPLOAD",
        "status": "SUCCEEDED",
        "request_digest": "",
        "release_id": number + 1,
        "deployed_by": "bench",
        "peer": "",
        "request_id": "",
        "create_time": _OLD,
        "record_time": _OLD,
    }


async def add(catalogue: Catalogue, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []

    async def write() -> None:
        async with catalogue.transaction() as transaction:
            await transaction.execute(insert(table), batch)

    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_AT_ONCE:
            await write()
            batch = []
    if batch:
        await write()


def put_objects(folder: Path, size: Size) -> None:
    for key in (*map(pack_key, range(size.packs)), *map(manifest_key, range(size.releases))):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/longshore.db"
        return
    with (
        PostgresService(find_postgres(folder), folder / "postgres") as service,
        service.fresh_database() as name,
    ):
        yield service.url(name)


@asynccontextmanager
async def opened(url: str, blobs_url: str, size: Size, grace: timedelta) -> AsyncIterator[Collector]:
    keep = RetentionPolicy(keep_releases=size.releases // PROJECTS // 2)
    catalogue = open_catalogue(url)
    try:
        async with open_blob_store(blobs_url) as blobs:
            yield Collector(
                catalogue,
                blobs,
                CollectingSettings(grace=grace, orphans_after=timedelta(0)),
                Retention(lambda project, environment: keep, 5),
                actor=Actor("bench"),
                abandoned={"message": ""},
            )
    finally:
        await catalogue.close()


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def timed(name: str, work: Callable[[CollectingReport], Awaitable[None]]) -> None:
    report, begun = CollectingReport(), time.perf_counter()
    await work(report)
    took_s = time.perf_counter() - begun
    told = {key: value for key, value in asdict(report).items() if value}
    print(f"{name}: {took_s:.1f} s, peak {peak_mib():.0f} MiB; {told}", flush=True)


def measure(url: str, blobs_url: str, size: Size) -> None:
    async def run() -> None:
        async with opened(url, blobs_url, size, timedelta(days=1)) as collector:
            print(f"up: peak {peak_mib():.0f} MiB", flush=True)
            await timed("dry run", collector.rehearse)
            await timed("drop and condemn", collector.run)
            await timed("nothing to do", collector.run)
        async with opened(url, blobs_url, size, timedelta(0)) as collector:
            await timed("remove objects", collector.run)

    asyncio.run(run())


async def prepare(url: str, size: Size) -> None:
    catalogue = open_catalogue(url)
    try:
        await catalogue.migrate()
        begun = time.perf_counter()
        await fill(catalogue, size)
        async with catalogue.transaction() as transaction:
            await transaction.execute(text("ANALYZE"))
        print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)
    finally:
        await catalogue.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    size = Size(int(10_000 * arguments.scale))
    with session_folder() as folder, database(arguments.database, folder) as url:
        # A process of its own, so that filling does not count as memory.
        filling = multiprocessing.get_context("spawn").Process(target=_prepare, args=(url, size))
        filling.start()
        filling.join()
        put_objects(folder / "blobs", size)
        measure(url, f"file://{folder}/blobs", size)


def _prepare(url: str, size: Size) -> None:
    asyncio.run(prepare(url, size))


if __name__ == "__main__":
    main()
