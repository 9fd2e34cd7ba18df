"""Storing and reading payloads: cut into chunks, packed, deduplicated, verified. See ``store``.

Owns the way of a payload's bytes between a caller and the blob store, with the rows that go with it. Knows
no gRPC, no releases, and nothing of what a payload contains.
"""

from .admission import Place, Places
from .blocking_reader import BlockingReader, read_in_thread
from .entries import ChunkEntry, Follow, StoredPayload, follow_nothing
from .errors import (
    ChunkFrameInvalid,
    ChunkInvalid,
    ChunkLimitExceeded,
    ChunkMissing,
    OffsetMismatch,
    PackFileDamaged,
    PackFileGone,
    PayloadEmpty,
    PayloadError,
    PayloadNotStored,
    ReadingAbandoned,
    Sha256Mismatch,
    SizeMismatch,
    TooManyChunks,
    TooManyUploads,
    UploadLost,
    UploadRefused,
    UploadTakenOver,
    UploadWayMixed,
)
from .fetching import Batch
from .holding import Hold
from .reader import PayloadReader
from .seeds import Seeds
from .settings import PayloadSettings
from .store import PayloadStore
from .writer import PayloadWriter

__all__ = [
    "Batch",
    "BlockingReader",
    "ChunkEntry",
    "ChunkFrameInvalid",
    "ChunkInvalid",
    "ChunkLimitExceeded",
    "ChunkMissing",
    "Follow",
    "Hold",
    "OffsetMismatch",
    "PackFileDamaged",
    "PackFileGone",
    "PayloadEmpty",
    "PayloadError",
    "PayloadNotStored",
    "PayloadReader",
    "PayloadSettings",
    "PayloadStore",
    "PayloadWriter",
    "Place",
    "Places",
    "ReadingAbandoned",
    "Seeds",
    "Sha256Mismatch",
    "SizeMismatch",
    "StoredPayload",
    "TooManyChunks",
    "TooManyUploads",
    "UploadLost",
    "UploadRefused",
    "UploadTakenOver",
    "UploadWayMixed",
    "follow_nothing",
    "read_in_thread",
]
