"""Building a release's tree on this node: fetch what is not here yet, verify, unpack beside what is live."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO, cast

import structlog

from longshore_bundles import PayloadFormat, UnpackLimits, UnpackResult, unpack
from longshore_server.deploying.examining import lay_down
from longshore_server.disk import DataFolder, InstalledTree, InstalledTrees, LiveLinks, make_room
from longshore_server.memory import give_back_freed
from longshore_server.unbroken import in_executor
from longshore_storage.catalogue.rows import Release
from longshore_storage.errors import CorruptBlob
from longshore_storage.payloads import BlockingReader, PayloadStore

from .fetching import read_unbroken
from .moved import CountingReader, Moved
from .seeds import NodeSeeds, open_seeds

_log = structlog.get_logger(__name__)

# What a file system takes for itself beside the bytes of many small files.
_ROOM_FACTOR = 1.1
_ROOM_EXTRA_BYTES = 16 << 20
# A payload smaller than the largest chunk is fetched sooner than seeds are looked through.
_LEAST_SHARED_BYTES = 256 << 10


# What is smaller is read in few batches.
_LARGE_BYTES = 32 << 20


class TreeBuilder:
    """Builds trees in the data folder, in ``threads`` of its own.

    Seeds are looked through for payloads of ``least_shared_bytes`` and more.
    """

    def __init__(
        self,
        payloads: PayloadStore,
        folder: DataFolder,
        trees: InstalledTrees,
        links: LiveLinks,
        limits: UnpackLimits,
        threads: Executor,
        *,
        least_shared_bytes: int = _LEAST_SHARED_BYTES,
    ) -> None:
        self._payloads = payloads
        self._folder = folder
        self._trees = trees
        self._links = links
        self._limits = limits
        self._threads = threads
        self._least_shared_bytes = least_shared_bytes

    async def build(self, release: Release, moved: Moved) -> InstalledTree:
        """Fetch, verify and unpack; the tree is installed but not live when this returns.

        Raises ``NoRoom`` before a byte is fetched when the disk has none, ``OSError``, and ``CorruptBlob``
        when the content is not the release's.
        """
        assert release.stored_payload is not None
        form = PayloadFormat[release.payload_format]
        # Named before, so that it goes also where the first of it is cancelled.
        staging = self._folder.unused_staging_path(f"{release.project}@{release.version}")
        try:
            spooled = form is PayloadFormat.ZIP
            await in_executor(self._threads, self._begin, release, staging, spooled=spooled)
            if release.payload_size_bytes < self._least_shared_bytes:
                return await self._build(release, form, staging, moved, None)
            async with open_seeds(self._trees, release, staging, self._threads) as seeds:
                return await self._build(release, form, staging, moved, seeds)
        finally:
            await in_executor(self._threads, self._folder.discard_staging, staging)

    async def _build(
        self, release: Release, form: PayloadFormat, staging: Path, moved: Moved, seeds: NodeSeeds | None
    ) -> InstalledTree:
        assert release.stored_payload is not None
        tree = staging / "tree"
        unpacked = await self._unpack(release, form, staging, tree, moved, seeds)
        scan = unpacked.scan
        if scan.content_sha256 != release.content_sha256:
            raise CorruptBlob(
                release.stored_payload,
                f"it unpacks to content sha256:{scan.content_sha256}, the release has "
                f"sha256:{release.content_sha256}",
            )
        return await in_executor(self._threads, self._finalise, release, tree, unpacked, seeds)

    def _finalise(
        self, release: Release, tree: Path, unpacked: UnpackResult, seeds: NodeSeeds | None
    ) -> InstalledTree:
        gives_back = unpacked.scan.gives_back(release.payload_sha256)
        return self._trees.finalise(
            tree,
            project=release.project,
            version=release.version,
            payload_sha256=release.payload_sha256,
            content_sha256=release.content_sha256,
            is_canonical=gives_back,
            file_digests=unpacked.file_digests,
            chunk_list=seeds.chunk_list(release.payload_size_bytes) if seeds and gives_back else None,
        )

    async def _unpack(
        self,
        release: Release,
        form: PayloadFormat,
        staging: Path,
        tree: Path,
        moved: Moved,
        seeds: NodeSeeds | None,
    ) -> UnpackResult:
        assert release.stored_payload is not None

        def work(source: BlockingReader) -> UnpackResult:
            if form is not PayloadFormat.ZIP:
                counting = CountingReader(source, moved)
                name = release.file_name
                return unpack(counting, tree, form, self._limits, file_name=name, reads_bundle=False)
            # A zip is read from its end, so it is laid down first.
            spooled = staging / "payload"
            lay_down(spooled, cast(BinaryIO, source))
            unpacked = self._unpack_file(spooled, tree, form)
            moved.installed_bytes = release.payload_size_bytes
            return unpacked

        return await read_unbroken(
            self._payloads, release.stored_payload, work, moved, seeds=seeds, threads=self._threads
        )

    def _unpack_file(self, spooled: Path, tree: Path, form: PayloadFormat) -> UnpackResult:
        with spooled.open("rb") as source:
            return unpack(source, tree, form, self._limits, reads_bundle=False)

    def _begin(self, release: Release, staging: Path, *, spooled: bool) -> None:
        """Make room for a tree, and the empty folder ``staging`` for it."""
        if release.payload_size_bytes >= _LARGE_BYTES:
            give_back_freed()
        needed = int(release.unpacked_size_bytes * _ROOM_FACTOR) + _ROOM_EXTRA_BYTES
        needed += release.payload_size_bytes if spooled else 0
        what = f"{release.project} {release.version}"
        for path in make_room(
            self._folder, self._trees, self._links, needed, project=release.project, what=what
        ):
            _log.info("tree.pruned", tree=path.name, needed_bytes=needed)
        self._folder.make_staging(staging)
