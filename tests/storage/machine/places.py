"""Empty stores for each example: SQLite or PostgreSQL, a folder or a bucket."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from longshore_storage.catalogue import append_only, open_catalogue, tables

from .inline import without_threads
from .world import Place

# Where a sync costs nothing: no machine loses its power here.
_IN_MEMORY = Path("/dev/shm")

NewPlace = Callable[[], AbstractContextManager[Place]]
NewUrl = Callable[[Path], str]


def places(new_database: NewUrl, new_blob_store: NewUrl, *, threaded: bool = True) -> NewPlace:
    """Makes places, each for one example, in a folder that goes with it."""

    @contextmanager
    def new_place() -> Iterator[Place]:
        with (
            tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder,
            nullcontext() if threaded else without_threads(),
        ):
            yield Place(new_database(Path(folder)), new_blob_store(Path(folder)), threaded)

    return new_place


def sqlite_databases(folder: Path) -> NewUrl:
    """Copies of a migrated file."""
    original = folder / "original.db"
    _migrate(f"sqlite:///{original}")

    def new(folder: Path) -> str:
        shutil.copy(original, folder / "longshore.db")
        return f"sqlite:///{folder}/longshore.db"

    return new


def postgres_databases(url: str) -> NewUrl:
    """The same database, emptied."""
    _migrate(url)

    def new(_: Path) -> str:
        asyncio.run(_empty(url))
        return url

    return new


def folders(folder: Path) -> str:
    return f"file://{folder}/blobs"


def buckets(url: str) -> NewUrl:
    """The same bucket, each time with another prefix."""
    return lambda _: f"{url}/{uuid.uuid4().hex}"


def _migrate(url: str) -> None:
    async def migrate() -> None:
        catalogue = open_catalogue(url)
        await catalogue.migrate()
        await catalogue.close()

    asyncio.run(migrate())


async def _empty(url: str) -> None:
    catalogue = open_catalogue(url)
    async with catalogue.transaction() as transaction, append_only.lifted(transaction):
        for table in reversed(tables.metadata.sorted_tables):
            await transaction.execute(table.delete())
    await catalogue.close()
