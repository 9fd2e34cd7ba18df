"""Where chunks lie: the dataclass everybody shares, and the bytes that manifests and segments share.

Owns the table of pack keys and the entry of 53 bytes that refers to it. Refuses, in both directions,
places that cannot be: empty chunks, compressed forms that are no smaller than the raw bytes, offsets in a
pack file's header, numbers that a database's 64-bit integer does not hold.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .codec import Codec
from .cutting import LARGEST_CHUNK_BYTES
from .digest import DIGEST_LENGTH, ChunkDigest
from .errors import MalformedFormat

FORMAT_VERSION: Final = 1
HEADER: Final = struct.Struct("<6sH")
"""How every file of ours begins: its magic and the version of its format."""

KEY_LENGTH: Final = struct.Struct("<H")
LONGEST_KEY_BYTES: Final = 255
ENTRY: Final = struct.Struct("<32sIQIIB")
"""Digest, number in the table of pack keys, offset, stored length, raw length, codec."""

LARGEST_NUMBER: Final = 2**63 - 1

CODECS: Final[Mapping[int, Codec]] = {codec.value: codec for codec in Codec}

_KEY: Final = re.compile(r"[a-z0-9/._-]{1,255}")


@dataclass(frozen=True, slots=True)
class PlacedChunk:
    """One chunk of a payload: its digest, and where its stored bytes lie in which pack file."""

    digest: ChunkDigest
    pack_key: str
    offset: int
    stored_length: int
    raw_length: int
    codec: Codec


def place_fault(codec: Codec, offset: int, stored_length: int, raw_length: int) -> str:
    """What is wrong with a place in a pack file, or an empty string."""
    if not 1 <= raw_length <= LARGEST_CHUNK_BYTES:
        return f"raw length {raw_length} is not 1 to {LARGEST_CHUNK_BYTES}"
    if codec is Codec.RAW and stored_length != raw_length:
        return f"stored length {stored_length} of a raw chunk is not its raw length {raw_length}"
    if codec is Codec.ZSTD and not 1 <= stored_length < raw_length:
        return f"stored length {stored_length} of a compressed chunk is not 1 to {raw_length - 1}"
    if not HEADER.size <= offset <= LARGEST_NUMBER - stored_length:
        return f"offset {offset} is not in a pack file"
    return ""


def key_fault(key: str) -> str:
    """What is wrong with a pack key, or an empty string."""
    if _KEY.fullmatch(key):
        return ""
    return f"pack key {key!r} is not 1 to {LONGEST_KEY_BYTES} of a-z 0-9 / . _ -"


def encode_key(key: str) -> bytes:
    """A pack key as it stands in a table: its length, then its ASCII bytes."""
    fault = key_fault(key)
    if fault:
        raise ValueError(fault)
    return KEY_LENGTH.pack(len(key)) + key.encode("ascii")


def decode_key(raw: bytes, error: type[MalformedFormat]) -> str:
    """The ASCII bytes of a pack key as text. Raises ``error``."""
    key = raw.decode("latin-1")
    fault = key_fault(key)
    if fault:
        raise error(fault)
    return key


def encode_entries(chunks: Iterable[PlacedChunk], pack_numbers: Mapping[str, int]) -> bytes:
    """Entries one after another. Raises ``ValueError`` for impossible places and keys not in the table."""
    encoded = bytearray()
    for chunk in chunks:
        if len(chunk.digest) != DIGEST_LENGTH:
            raise ValueError(f"chunk digest has {len(chunk.digest)} bytes, must have {DIGEST_LENGTH}")
        fault = place_fault(chunk.codec, chunk.offset, chunk.stored_length, chunk.raw_length)
        if fault:
            raise ValueError(f"chunk {chunk.digest.hex()}: {fault}")
        if chunk.pack_key not in pack_numbers:
            raise ValueError(f"chunk {chunk.digest.hex()}: pack key {chunk.pack_key!r} is not in the table")
        encoded += ENTRY.pack(
            chunk.digest,
            pack_numbers[chunk.pack_key],
            chunk.offset,
            chunk.stored_length,
            chunk.raw_length,
            chunk.codec,
        )
    return bytes(encoded)


def decode_entries(
    encoded: bytes | memoryview, pack_keys: Sequence[str], error: type[MalformedFormat]
) -> list[PlacedChunk]:
    """The chunks of a whole number of entries. Raises ``error`` for any place that cannot be."""
    chunks: list[PlacedChunk] = []
    for digest, pack, offset, stored_length, raw_length, codec_number in ENTRY.iter_unpack(encoded):
        codec = CODECS.get(codec_number)
        if codec is None:
            raise error(f"chunk {digest.hex()}: codec {codec_number} is unknown")
        if pack >= len(pack_keys):
            raise error(f"chunk {digest.hex()}: pack {pack} is not in the table of {len(pack_keys)}")
        fault = place_fault(codec, offset, stored_length, raw_length)
        if fault:
            raise error(f"chunk {digest.hex()}: {fault}")
        chunks.append(PlacedChunk(digest, pack_keys[pack], offset, stored_length, raw_length, codec))
    return chunks
