"""What a node has already of a payload that it is about to fetch: the trees of the same project as seeds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from longshore_bundles import PayloadFormat
from longshore_chunks import ChunkDigest
from longshore_server.disk import ChunkListWriter, InstalledTrees, Layout, SeedTrees
from longshore_server.unbroken import in_executor, in_thread
from longshore_storage.catalogue.rows import Release
from longshore_storage.payloads import Batch

_log = structlog.get_logger(__name__)

# What is live, and what was installed last where that did not go live.
_MOST_SEEDS: Final = 2
_LAYOUTS: Final = {
    PayloadFormat.TAR: Layout.CANONICAL_TAR,
    PayloadFormat.FILE: Layout.SINGLE_FILE,
}


class NodeSeeds:
    """Chunks from the node's own trees for one payload, whose own chunks are listed as they go by.

    Made by ``open_seeds``. A disk that does not let it costs only the bytes that are fetched instead.
    """

    def __init__(self, trees: SeedTrees | None, chunk_list: ChunkListWriter | None) -> None:
        self._trees = trees
        self._chunk_list = chunk_list
        self._turn = asyncio.Lock()

    async def find(self, batch: Batch) -> Mapping[ChunkDigest, bytes]:
        """As ``Seeds`` says; never raises but for a fault of our own."""
        async with self._turn:
            return await in_thread(self._find, batch)

    def chunk_list(self, size_bytes: int) -> Path | None:
        """The finished list of the payload's chunks; None where it could not be made."""
        if self._chunk_list is None:
            return None
        try:
            return self._chunk_list.path if self._chunk_list.finish(size_bytes) else None
        except OSError as error:
            self._give_up_listing(error)
            return None

    def _find(self, batch: Batch) -> Mapping[ChunkDigest, bytes]:
        if self._chunk_list is not None:
            try:
                self._chunk_list.add(batch.offset, batch.chunks)
            except OSError as error:
                self._give_up_listing(error)
        return self._trees.read(batch.chunks) if self._trees is not None else {}

    def _give_up_listing(self, error: OSError) -> None:
        _log.warning("seed.unlisted", error=str(error))
        self._chunk_list = None


@asynccontextmanager
async def open_seeds(
    trees: InstalledTrees, release: Release, staging: Path, threads: Executor
) -> AsyncIterator[NodeSeeds | None]:
    """What there is for building ``release`` in ``staging``; None where nothing can be shared.

    What was compressed as a whole has no chunk in common with anything.
    """
    layout = _LAYOUTS.get(PayloadFormat[release.payload_format])
    if layout is None:
        yield None
        return
    with ExitStack() as stack:
        yield await in_executor(threads, _open, stack, trees, release.project, staging, layout)


def _open(
    stack: ExitStack, trees: InstalledTrees, project: str, staging: Path, layout: Layout
) -> NodeSeeds | None:
    try:
        chunk_list = stack.enter_context(ChunkListWriter(staging / "chunks", layout))
        own = trees.seeds(project)[:_MOST_SEEDS]
        found = stack.enter_context(SeedTrees.open(own, staging)) if own else None
    except OSError as error:
        _log.warning("seeds.unusable", error=str(error))
        return None
    return NodeSeeds(found, chunk_list)
