"""Trees built from stored payloads without a node around it: real stores, a data folder, and the builder."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from longshore_bundles import PayloadFormat, UnpackLimits
from longshore_server.agent.building import TreeBuilder
from longshore_server.agent.moved import Moved
from longshore_server.disk import DataFolder, InstalledTree, InstalledTrees, LiveLinks
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.rows import Release
from longshore_storage.payloads import PayloadSettings, PayloadStore
from tests.bundles.trees import Tree
from tests.storage.payloads.world import SMALL, HookedBlobs, World

from .contents import canonical_tar

PROJECT = "netops"
_RELEASE = Release(
    id=1,
    project=PROJECT,
    version="",
    payload_sha256="",
    stored_payload=None,
    content_sha256="",
    payload_size_bytes=0,
    payload_format="",
    file_name="",
    entries=1,
    unpacked_size_bytes=0,
    create_time=datetime.fromtimestamp(0, UTC),
    created_by="",
    deployment_id="",
    pin_reason="",
    pinned_by="",
    kind="COMPONENT",
    source=None,
    install_method="",
    validation_skipped=False,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Built:
    """A tree that was built, and what it took."""

    tree: InstalledTree
    fetched_bytes: int
    reused_bytes: int
    installed_bytes: int


class Builds:
    """A node's disk beside a payload store, made by ``builds``."""

    def __init__(self, world: World, folder: DataFolder, threads: ThreadPoolExecutor) -> None:
        self.world = world
        self.folder = folder
        self.trees = InstalledTrees(folder)
        self.links = LiveLinks(folder)
        self._builder = TreeBuilder(
            world.store, folder, self.trees, self.links, UnpackLimits(), threads, least_shared_bytes=0
        )
        self._generation = 0

    @property
    def blobs(self) -> HookedBlobs:
        return self.world.blobs

    async def store(
        self,
        payload: bytes,
        version: str,
        *,
        form: PayloadFormat = PayloadFormat.TAR,
        content_sha256: str | None = None,
    ) -> Release:
        """Store a payload as a release of ``PROJECT``; what is a tar must be canonical."""
        stored = await self.world.upload(payload, project=PROJECT, piece=1 << 20)
        return dataclasses.replace(
            _RELEASE,
            version=version,
            payload_sha256=stored.sha256,
            stored_payload=stored.sha256,
            content_sha256=content_sha256 or stored.sha256,
            payload_size_bytes=len(payload),
            payload_format=form.name,
            file_name="file" if form is PayloadFormat.FILE else "",
            unpacked_size_bytes=len(payload),
        )

    async def store_tree(self, tree: Tree, version: str) -> Release:
        return await self.store(canonical_tar(tree), version)

    async def build(self, release: Release, moved: Moved | None = None) -> Built:
        """Build it beside what is there; nothing is left in staging."""
        moved = moved or Moved(release.payload_size_bytes)
        try:
            tree = await self._builder.build(release, moved)
        finally:
            assert list(self.folder.staging.iterdir()) == []
        return Built(tree, **moved.columns())

    async def install(self, tree: Tree, version: str) -> InstalledTree:
        """Store, build and make live."""
        built = await self.build(await self.store_tree(tree, version))
        self.go_live(built.tree)
        return built.tree

    def go_live(self, tree: InstalledTree) -> None:
        self._generation += 1
        self.links.switch(
            PROJECT,
            generation=self._generation,
            version=tree.version,
            target=tree.path,
            deployment_id=None,
        )


@asynccontextmanager
async def builds(
    place: Path,
    *,
    blobs_url: str | None = None,
    settings: PayloadSettings = SMALL,
) -> AsyncIterator[Builds]:
    """SQLite, a blob store (files unless a URL says otherwise), and an empty data folder in ``place``.

    The blob store does not try again by itself, so that what is above it has to.
    """
    catalogue = open_catalogue(f"sqlite:///{place}/longshore.db")
    try:
        await catalogue.migrate()
        async with open_blob_store(blobs_url or f"file://{place}/blobs", retry_for_s=0) as blobs:
            hooked = HookedBlobs(blobs)
            async with PayloadStore(catalogue, hooked, settings=settings) as store:
                with DataFolder.open(place / "node") as folder, ThreadPoolExecutor(2) as threads:
                    yield Builds(World(catalogue, hooked, store), folder, threads)
    finally:
        await catalogue.close()
