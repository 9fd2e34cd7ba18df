"""Storing and reading payloads: cut into chunks, packed, deduplicated, verified. See ``store``.

Owns the way of a payload's bytes between a caller and the blob store, with the rows that go with it. Knows
no gRPC, no releases, and nothing of what a payload contains.
"""

from .blocking_reader import BlockingReader, read_in_thread
from .entries import ChunkEntry, StoredPayload
from .errors import (
    ChunkFrameInvalid,
    ChunkInvalid,
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
    UploadLost,
    UploadRefused,
    UploadTakenOver,
    UploadWayMixed,
)
from .reader import PayloadReader
from .settings import PayloadSettings
from .store import PayloadStore
from .writer import PayloadWriter

__all__ = [
    "BlockingReader",
    "ChunkEntry",
    "ChunkFrameInvalid",
    "ChunkInvalid",
    "ChunkMissing",
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
    "ReadingAbandoned",
    "Sha256Mismatch",
    "SizeMismatch",
    "StoredPayload",
    "TooManyChunks",
    "UploadLost",
    "UploadRefused",
    "UploadTakenOver",
    "UploadWayMixed",
    "read_in_thread",
]
