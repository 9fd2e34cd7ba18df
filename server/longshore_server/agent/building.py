"""Building a release's tree on this node: fetch from the blob store, verify, unpack beside what is live."""

from __future__ import annotations

import io
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import structlog

from longshore_bundles import PayloadFormat, UnpackLimits, UnpackResult, unpack
from longshore_server.deploying.examining import lay_down, read_payload
from longshore_server.disk import DataFolder, InstalledTree, InstalledTrees, LiveLinks, make_room
from longshore_server.unbroken import in_executor
from longshore_storage.catalogue.rows import Release
from longshore_storage.errors import CorruptBlob
from longshore_storage.payloads import PayloadStore

_log = structlog.get_logger(__name__)

# What a file system takes for itself beside the bytes of many small files.
_ROOM_FACTOR = 1.1
_ROOM_EXTRA_BYTES = 16 << 20
_BUFFER_BYTES = 1 << 20


@dataclass(slots=True)
class Moved:
    """Bytes moved for one activation so far; read while another thread counts."""

    total_bytes: int
    fetched_bytes: int = 0
    reused_bytes: int = 0
    installed_bytes: int = 0

    def columns(self) -> dict[str, int]:
        """As the activation's row keeps them."""
        return {
            "fetched_bytes": self.fetched_bytes,
            "reused_bytes": self.reused_bytes,
            "installed_bytes": self.installed_bytes,
        }


class CountingReader(io.BufferedReader):
    """Counts what unpacking has read of a payload."""

    def __init__(self, source: BinaryIO, moved: Moved) -> None:
        super().__init__(cast(io.RawIOBase, source), _BUFFER_BYTES)
        self._moved = moved

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, and count."""
        data = super().read(size)
        self._moved.installed_bytes += len(data)
        return data


class TreeBuilder:
    """Builds trees in the data folder, in ``threads`` of its own."""

    def __init__(
        self,
        payloads: PayloadStore,
        folder: DataFolder,
        trees: InstalledTrees,
        links: LiveLinks,
        limits: UnpackLimits,
        threads: Executor,
    ) -> None:
        self._payloads = payloads
        self._folder = folder
        self._trees = trees
        self._links = links
        self._limits = limits
        self._threads = threads

    async def build(self, release: Release, moved: Moved) -> InstalledTree:
        """Fetch, verify and unpack; the tree is installed but not live when this returns.

        Raises ``NoRoom`` before a byte is fetched when the disk has none, ``OSError``, and ``CorruptBlob``
        when the content is not the release's.
        """
        assert release.stored_payload is not None
        form = PayloadFormat[release.payload_format]
        await in_executor(self._threads, self._make_room, release, spooled=form is PayloadFormat.ZIP)
        staging = await in_executor(
            self._threads, self._folder.new_staging, f"{release.project}@{release.version}"
        )
        try:
            tree = staging / "tree"
            unpacked = await self._unpack(release, form, staging, tree, moved)
            scan = unpacked.scan
            if scan.content_sha256 != release.content_sha256:
                raise CorruptBlob(
                    release.stored_payload,
                    f"it unpacks to content sha256:{scan.content_sha256}, the release has "
                    f"sha256:{release.content_sha256}",
                )
            return await in_executor(
                self._threads,
                self._trees.finalise,
                tree,
                project=release.project,
                version=release.version,
                payload_sha256=release.payload_sha256,
                content_sha256=release.content_sha256,
                is_canonical=scan.gives_back(release.payload_sha256),
                file_digests=unpacked.file_digests,
            )
        finally:
            await in_executor(self._threads, self._folder.discard_staging, staging)

    async def _unpack(
        self, release: Release, form: PayloadFormat, staging: Path, tree: Path, moved: Moved
    ) -> UnpackResult:
        assert release.stored_payload is not None

        def fetched(count: int) -> None:
            moved.fetched_bytes = count

        if form is PayloadFormat.ZIP:
            # A zip is read from its end, so it is laid down first.
            spooled = staging / "payload"
            await read_payload(
                self._payloads,
                release.stored_payload,
                partial(lay_down, spooled),
                fetched,
                threads=self._threads,
            )
            unpacked = await in_executor(self._threads, self._unpack_file, spooled, tree, form)
            moved.installed_bytes = release.payload_size_bytes
            return unpacked

        def work(source: BinaryIO) -> UnpackResult:
            counting = CountingReader(source, moved)
            return unpack(counting, tree, form, self._limits, file_name=release.file_name)

        return await read_payload(
            self._payloads, release.stored_payload, work, fetched, threads=self._threads
        )

    def _unpack_file(self, spooled: Path, tree: Path, form: PayloadFormat) -> UnpackResult:
        with spooled.open("rb") as source:
            return unpack(source, tree, form, self._limits)

    def _make_room(self, release: Release, *, spooled: bool) -> None:
        needed = int(release.unpacked_size_bytes * _ROOM_FACTOR) + _ROOM_EXTRA_BYTES
        needed += release.payload_size_bytes if spooled else 0
        what = f"{release.project} {release.version}"
        for path in make_room(
            self._folder, self._trees, self._links, needed, project=release.project, what=what
        ):
            _log.info("tree.pruned", tree=path.name, needed_bytes=needed)
