"""``ReplicatedBlobStore``: one store that counts, and replicas of it that are nearer to read from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import structlog

from longshore_storage.errors import BlobNotFound, CorruptBlob, StorageError
from longshore_storage.ports import BlobStat, BlobStore

from .absence import Absence

_log = structlog.get_logger(__name__)


class ReplicatedBlobStore:
    """Reads from the first of ``replicas`` that has the object, else from ``main``; all else is ``main``'s.

    Guarantee: whatever a replica does, a read gives what ``main`` would give, or bytes that were put under
    that key. One that lags behind costs a request, one that is away or refuses is left out for a while, and
    only ``main`` says that an object is missing or too short. A replica may hold wrong bytes: who has found
    that reads first hand.
    """

    def __init__(self, main: BlobStore, replicas: Sequence[BlobStore]) -> None:
        self._main = main
        self._replicas = [(replica, Absence()) for replica in replicas]

    async def put(self, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        """See the port."""
        await self._main.put(key, parts, crc32c=crc32c)

    async def get(
        self, key: str, offset: int = 0, length: int | None = None, *, first_hand: bool = False
    ) -> bytes:
        """See the port."""
        for replica, absence in () if first_hand else self._replicas:
            if absence.lasts():
                continue
            try:
                body = await replica.get(key, offset, length)
            except (BlobNotFound, CorruptBlob):
                absence.end()
            except StorageError as error:
                if absence.begin():
                    _log.warning("blobs.replica_away", replica=repr(replica), error=str(error))
            else:
                if absence.end():
                    _log.info("blobs.replica_back", replica=repr(replica))
                return body
        return await self._main.get(key, offset, length, first_hand=first_hand)

    async def stat(self, key: str) -> BlobStat:
        """See the port."""
        return await self._main.stat(key)

    async def delete(self, key: str) -> None:
        """See the port."""
        await self._main.delete(key)

    def list(self, prefix: str) -> AsyncIterator[BlobStat]:
        """See the port."""
        return self._main.list(prefix)

    async def check(self) -> None:
        """See the port; replicas may be away."""
        await self._main.check()

    async def close(self) -> None:
        """See the port."""
        for store in (self._main, *(replica for replica, _ in self._replicas)):
            await store.close()
