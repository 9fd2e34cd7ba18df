"""The port through which a reader takes chunks from where they lie already, instead of the blob store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from longshore_chunks import ChunkDigest

from .fetching import Batch


class Seeds(Protocol):
    """Somewhere near that may have chunks of a payload. Nothing it gives is trusted: digests decide."""

    async def find(self, batch: Batch) -> Mapping[ChunkDigest, bytes]:
        """What may be raw bytes of the batch's chunks, by digest; what it has not is fetched.

        Called once for every batch that is read, in the payload's order, but without waiting for the call
        before to end. What was read and then lost, because the store went away, is asked for again.
        """
        ...
