"""Repairing damaged payloads from installed trees: what a node unpacked and verified is a copy that is left.

Only a tree whose canonical tar was exactly the payload's bytes can give them back, and only if it still is
what its record says; the sha256 over what it gives decides. A running node looks by itself, so that damage
found anywhere heals as long as some node has the release. Nothing on the node is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import structlog

from longshore_bundles import BundleError, CanonicalTar
from longshore_server.disk import InstalledTree, InstalledTrees
from longshore_server.unbroken import in_thread
from longshore_storage.catalogue import Catalogue, damage
from longshore_storage.errors import StorageError
from longshore_storage.healing import PayloadRepair
from longshore_storage.ports import Coordination

_log = structlog.get_logger(__name__)

_PAGE = 100


async def repair_from_trees(
    catalogue: Catalogue, coordination: Coordination, repair: PayloadRepair, trees: InstalledTrees
) -> int:
    """Repair every damaged payload of which a tree is installed here, and tell how many.

    One that cannot be repaired is logged and passed over. Raises what the catalogue raises.
    """
    repaired, after = 0, ""
    while True:
        async with catalogue.reading() as transaction:
            page = await damage.damaged_payloads(transaction, after=after, limit=_PAGE)
        for row in page:
            async with catalogue.reading() as transaction:
                releases = await damage.releases_of(transaction, row.sha256)
            try:
                tree = await in_thread(_find_tree, trees, releases, row.sha256)
                if tree is not None:
                    repaired += await _repair(coordination, repair, row.sha256, tree)
            except (StorageError, BundleError, OSError) as error:
                _log.warning("payload.unrepaired", sha256=row.sha256, error=str(error))
        if len(page) < _PAGE:
            return repaired
        after = page[-1].sha256


class TreeRepair:
    """Looks for damaged payloads that this node can repair, until cancelled."""

    def __init__(
        self,
        catalogue: Catalogue,
        coordination: Coordination,
        repair: PayloadRepair,
        trees: InstalledTrees,
        *,
        every_s: float,
    ) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._repair = repair
        self._trees = trees
        self._every_s = every_s

    async def run(self) -> None:
        """Look again and again; mostly there is nothing to be seen."""
        while True:
            try:
                await repair_from_trees(self._catalogue, self._coordination, self._repair, self._trees)
            except StorageError as error:
                _log.warning("damage.unseen", error=str(error))
            except Exception:
                # A fault of our own must not end the node: it serves without repairing.
                _log.exception("repair.failed")
            await asyncio.sleep(self._every_s)


def _find_tree(
    trees: InstalledTrees, releases: Sequence[damage.ReleaseName], sha256: str
) -> InstalledTree | None:
    for release in releases:
        tree = trees.find(release.project, release.version, sha256)
        if tree is not None and tree.is_canonical:
            return tree
    return None


async def _repair(
    coordination: Coordination, repair: PayloadRepair, sha256: str, tree: InstalledTree
) -> bool:
    # Spares work where several nodes have the tree; without it one of them would win all the same.
    async with coordination.lock(f"repair/{sha256}"):
        return await repair.repair_payload(sha256, _blocks(tree))


async def _blocks(tree: InstalledTree) -> AsyncGenerator[bytes, None]:
    blocks = CanonicalTar(tree.path, honour_ignore_file=False).blocks()
    while (block := await in_thread(next, blocks, None)) is not None:
        yield block
