"""What a project has already, as one upload may count on it: looked up, and pinned before it is used."""

from __future__ import annotations

from collections.abc import Collection

from longshore_chunks import ChunkDigest, PlacedChunk
from longshore_storage.catalogue import Catalogue, chunk_index, packs
from longshore_storage.errors import ConstraintViolated

from .errors import UploadTakenOver


class PinnedIndex:
    """Finds a project's chunks for one upload; what it has found stays until the upload ends.

    A chunk whose pack file is being collected is not found: its bytes are to be stored again.
    """

    def __init__(self, catalogue: Catalogue, *, project: str, deployment_id: str) -> None:
        self._catalogue = catalogue
        self._project = project
        self._deployment_id = deployment_id
        self._pinned: set[str] = set()

    def note_pinned(self, pack_key: str) -> None:
        """Take note of a pack file that the upload has pinned by storing it."""
        self._pinned.add(pack_key)

    async def find(self, digests: Collection[ChunkDigest]) -> dict[ChunkDigest, PlacedChunk]:
        """Where those of ``digests`` lie that the project has. Raises ``UploadTakenOver``."""
        if not digests:
            return {}
        async with self._catalogue.reading() as transaction:
            found = await chunk_index.find_chunks(transaction, self._project, digests)
        await self._pin({chunk.pack_key for chunk in found.values()} - self._pinned)
        return {digest: chunk for digest, chunk in found.items() if chunk.pack_key in self._pinned}

    async def _pin(self, pack_keys: Collection[str]) -> None:
        if not pack_keys:
            return
        try:
            async with self._catalogue.transaction() as transaction:
                pinned = await packs.pin_packs(transaction, self._deployment_id, pack_keys)
        except ConstraintViolated as error:
            if error.foreign_key:
                raise UploadTakenOver(self._deployment_id) from error
            raise
        self._pinned.update(pinned)
