"""The upload segment: an ordered run of placed chunks as one compact blob for a row of the catalogue.

Owns the bytes of the format (docs/formats.md shows them): a table of the pack keys that occur, the
entries, a CRC32C over both. Read and written whole, so its length is bounded.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import google_crc32c

from .errors import MalformedSegment, UnknownFormatVersion
from .places import (
    ENTRY,
    FORMAT_VERSION,
    HEADER,
    KEY_LENGTH,
    PlacedChunk,
    decode_entries,
    decode_key,
    encode_entries,
    encode_key,
)

SEGMENT_MAX_CHUNKS: Final = 1 << 16
"""A segment holds at most so many chunks (3.5 MB); a caller with more writes several."""

_MAGIC: Final = b"LSSEGM"
_COUNTS: Final = struct.Struct("<II")
_CRC: Final = struct.Struct("<I")


def encode_segment(chunks: Sequence[PlacedChunk]) -> bytes:
    """The blob of 1 to ``SEGMENT_MAX_CHUNKS`` chunks in order. Raises ``ValueError`` for anything else."""
    if not 1 <= len(chunks) <= SEGMENT_MAX_CHUNKS:
        raise ValueError(f"a segment holds 1 to {SEGMENT_MAX_CHUNKS} chunks, not {len(chunks)}")
    keys = list(dict.fromkeys(chunk.pack_key for chunk in chunks))
    encoded = bytearray(HEADER.pack(_MAGIC, FORMAT_VERSION) + _COUNTS.pack(len(keys), len(chunks)))
    for key in keys:
        encoded += encode_key(key)
    encoded += encode_entries(chunks, {key: number for number, key in enumerate(keys)})
    encoded += _CRC.pack(google_crc32c.value(bytes(encoded)))
    return bytes(encoded)


def decode_segment(blob: bytes) -> list[PlacedChunk]:
    """The chunks of a segment in order. Raises ``MalformedSegment`` and ``UnknownFormatVersion``."""
    at = HEADER.size + _COUNTS.size
    body_end = len(blob) - _CRC.size
    if body_end < at:
        raise MalformedSegment("the segment is cut off")
    magic, version = HEADER.unpack_from(blob)
    if magic != _MAGIC:
        raise MalformedSegment("blob does not begin as an upload segment does")
    if version != FORMAT_VERSION:
        raise UnknownFormatVersion("upload segment", version)
    if _CRC.unpack_from(blob, body_end) != (google_crc32c.value(blob[:body_end]),):
        raise MalformedSegment("the segment's CRC32C does not match")
    key_count, chunk_count = _COUNTS.unpack_from(blob, HEADER.size)
    if not 1 <= key_count <= chunk_count <= SEGMENT_MAX_CHUNKS:
        raise MalformedSegment(f"a segment cannot have {chunk_count} chunks in {key_count} pack files")
    keys: list[str] = []
    for _ in range(key_count):
        if at + KEY_LENGTH.size > body_end:
            raise MalformedSegment("the segment's table of pack keys is cut off")
        (key_length,) = KEY_LENGTH.unpack_from(blob, at)
        at += KEY_LENGTH.size + key_length
        keys.append(decode_key(blob[at - key_length : min(at, body_end)], MalformedSegment))
    if at + chunk_count * ENTRY.size != body_end:
        raise MalformedSegment(f"{body_end - at} bytes are not the entries of {chunk_count} chunks")
    return decode_entries(blob[at:body_end], keys, MalformedSegment)
