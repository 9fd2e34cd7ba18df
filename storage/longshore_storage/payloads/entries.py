"""What goes into the payload store and what comes out, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from longshore_chunks import Codec

Follow: TypeAlias = Callable[[Sequence[bytes | memoryview]], Awaitable[None]]
"""Is shown a payload's bytes in order while they come, some at a time; the upload waits for it."""


@dataclass(frozen=True, slots=True)
class ChunkEntry:
    """One chunk as a client sends it: its bytes, its zstd frame, or neither, which is a reference."""

    digest: bytes
    raw_size: int
    raw: bytes | None = None
    zstd_frame: bytes | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk on its way in. ``raw`` was verified against ``digest``; None in a reference.

    ``stored`` is its stored form where that is known already; ``received_bytes`` is what it cost on the
    wire.
    """

    digest: bytes
    raw_length: int
    received_bytes: int
    raw: bytes | None = None
    stored: tuple[Codec, bytes] | None = None


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """A payload that is stored whole. The last three tell what this upload's bytes were.

    ``received_bytes`` came over the wire, ``reused_bytes`` (raw) were stored already or stood twice in the
    payload, ``stored_bytes`` (compressed) are new in the blob store. Where the caller may not read the
    project, ``stored_bytes`` is what was sent, raw and whether or not it was there, and ``reused_bytes``
    leaves that out.
    """

    sha256: str
    size_bytes: int
    chunk_count: int
    manifest_key: str
    received_bytes: int
    reused_bytes: int
    stored_bytes: int


async def follow_nothing(_raws: Sequence[bytes | memoryview], /) -> None:
    """For a payload at which nobody looks while it comes."""
