"""A catalogue as many deployments would have left it, filled by bulk statements, and objects to go with it.

Pack files 2n and 2n+1 came with release n, which also needs those of release n-1; half of what a project has
is therefore shared between neighbours. The objects are small: collecting lists and removes them, and reads
none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from longshore_storage.catalogue import Catalogue, open_catalogue, tables

PROJECTS = 10
CHUNKS_A_PACK = 250
_OLD = datetime(2020, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Size:
    """How much there is."""

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
    return f"manifests/{name[:2]}/{name}-{sha256(number)}"


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
    await fill_chunks(catalogue, size)
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


async def fill_chunks(catalogue: Catalogue, size: Size) -> None:
    """The chunk rows, made where they are kept: nothing else makes millions in a minute."""
    async with catalogue.transaction() as transaction:
        await transaction.execute(
            text(_CHUNK_ROWS),
            {"packs": size.packs, "chunks": CHUNKS_A_PACK, "releases": size.releases, "projects": PROJECTS},
        )


# The keys are those of ``pack_key``, the projects those of ``project``. Pack file after pack file, as uploads
# leave them: only a place that depends on the pack keeps the database from doing it the other way round.
_CHUNK_ROWS = """
INSERT INTO chunk (project, digest, pack_key, "offset", stored_length, raw_length, codec)
SELECT
  'project-' || (pack / 2 * CAST(:projects AS integer) / :releases),
  sha256(convert_to(pack || ' ' || place, 'UTF8')),
  'packs/' || left(md5(pack::text), 2) || '/' || md5(pack::text),
  8 + place * 65536, 65536, 65536, 0
FROM generate_series(0, :packs - 1) AS pack, generate_series(pack * 0, :chunks - 1) AS place
"""


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


async def fill_database(url: str, size: Size) -> None:
    """Bring an empty database up to date and fill it."""
    catalogue = open_catalogue(url)
    try:
        await catalogue.migrate()
        await fill(catalogue, size)
        async with catalogue.transaction() as transaction:
            await transaction.execute(text("ANALYZE"))
    finally:
        await catalogue.close()
