"""The payload manifest: the ordered list of a payload's chunks, and in which pack files they lie.

Owns the bytes of the format (docs/formats.md shows them). It is written and read as a stream: a manifest
of 40 GiB has some 640,000 entries and 34 MB, and neither side ever holds more than the table of pack keys
and the piece at hand. Invariants: the raw lengths add up to the payload's size, every pack key of the
table is used, and a BLAKE3 digest at the end covers every byte before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import google_crc32c
from blake3 import blake3

from .cutting import CuttingParameters
from .digest import DIGEST_LENGTH
from .errors import MalformedManifest, UnknownFormatVersion, UnsupportedParameters
from .places import (
    ENTRY,
    FORMAT_VERSION,
    HEADER,
    KEY_LENGTH,
    LARGEST_NUMBER,
    PlacedChunk,
    decode_entries,
    decode_key,
    encode_entries,
    encode_key,
)

MANIFEST_MAX_PACKS: Final = 1 << 18
MANIFEST_MAX_CHUNKS: Final = 2**32 - 1

_MAGIC: Final = b"LSMANI"
_FIXED: Final = struct.Struct("<32sQIIIII")
_NAMES: Final = struct.Struct("<16s16s16s")


@dataclass(frozen=True, slots=True)
class ManifestHeader:
    """What a manifest says before its entries. ``pack_keys`` is the table that the entries refer to.

    Raises ``ValueError`` for a header that no manifest can have.
    """

    payload_sha256: bytes
    size_bytes: int
    parameters: CuttingParameters
    pack_keys: tuple[str, ...] = field(repr=False)
    chunk_count: int

    def __post_init__(self) -> None:
        if len(self.payload_sha256) != 32:
            raise ValueError(f"payload sha256 has {len(self.payload_sha256)} bytes, must have 32")
        fault = _count_fault(self.size_bytes, self.parameters, self.chunk_count, len(self.pack_keys))
        if fault:
            raise ValueError(fault)
        if len(set(self.pack_keys)) != len(self.pack_keys):
            raise ValueError("a pack key stands twice in the table")


class ManifestWriter:
    """Writes one manifest as a stream: ``add`` chunks in the payload's order, then ``finish``.

    What both give back, joined, is the object; ``size_bytes`` and ``crc32c`` are of all of it so far.
    """

    def __init__(self, header: ManifestHeader) -> None:
        self._header = header
        self._pack_numbers = {key: number for number, key in enumerate(header.pack_keys)}
        self._unused_packs = set(header.pack_keys)
        self._chunks_left = header.chunk_count
        self._bytes_left = header.size_bytes
        self._head = _encode_header(header)
        self._hash = blake3()
        self._size_bytes = 0
        self._crc32c = 0

    @property
    def size_bytes(self) -> int:
        """How many bytes were given back so far."""
        return self._size_bytes

    @property
    def crc32c(self) -> int:
        """The CRC32C of everything given back so far."""
        return self._crc32c

    @property
    def digest(self) -> bytes:
        """The BLAKE3 of everything given back so far but the digest at the end, which it is."""
        return self._hash.digest()

    def add(self, chunks: Iterable[PlacedChunk]) -> bytes:
        """The manifest's next bytes. Raises ``ValueError`` for chunks that the header does not allow."""
        batch = list(chunks)
        encoded = encode_entries(batch, self._pack_numbers)
        self._chunks_left -= len(batch)
        for chunk in batch:
            self._bytes_left -= chunk.raw_length
            if chunk.raw_length > self._header.parameters.max_size_bytes:
                raise ValueError(f"chunk of {chunk.raw_length} bytes is larger than the largest allowed")
        if self._chunks_left < 0 or self._bytes_left < 0:
            raise ValueError("more chunks than the manifest's header announces")
        self._unused_packs.difference_update(chunk.pack_key for chunk in batch)
        return self._emit(encoded)

    def finish(self) -> bytes:
        """The manifest's last bytes. Raises ``ValueError`` when chunks are missing or a pack is not used."""
        if self._chunks_left or self._bytes_left:
            raise ValueError(f"{self._chunks_left} chunks and {self._bytes_left} bytes are missing")
        if self._unused_packs:
            raise ValueError(f"no chunk lies in pack {min(self._unused_packs)!r} of the table")
        last = self._emit(b"")
        digest = self._hash.digest()
        self._count(digest)
        return last + digest

    def _emit(self, encoded: bytes) -> bytes:
        block, self._head = self._head + encoded, b""
        self._hash.update(block)
        self._count(block)
        return block

    def _count(self, block: bytes) -> None:
        self._size_bytes += len(block)
        self._crc32c = google_crc32c.extend(self._crc32c, block)


class ManifestReader:
    """Reads one manifest as a stream: ``feed`` its bytes in pieces of any size, then ``finish``.

    Places come out before the digest at the end could be checked: they may be fetched at once, since every
    chunk is checked by its own digest, but nothing is made of them before ``finish`` returned. Raises
    ``MalformedManifest`` as soon as a byte is known to be wrong, and ``UnknownFormatVersion`` or
    ``UnsupportedParameters`` for a manifest of a newer program.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._hash = blake3()
        self._fixed: tuple[bytes, int, CuttingParameters, int, int] | None = None
        self._pack_keys: dict[str, None] = {}
        self._header: ManifestHeader | None = None
        self._used_packs: set[str] = set()
        self._chunks_left = 0
        self._bytes_left = 0

    @property
    def header(self) -> ManifestHeader | None:
        """What stands before the entries, as soon as it was fed; not yet covered by the digest."""
        return self._header

    @property
    def digest(self) -> bytes:
        """The digest at the manifest's end, once ``finish`` has found it right."""
        return self._hash.digest()

    def feed(self, piece: bytes | bytearray | memoryview) -> list[PlacedChunk]:
        """Take the next bytes and give back the chunks that they complete, in the payload's order."""
        self._pending += piece
        if self._header is None:
            self._header = self._read_header()
            if self._header is None:
                return []
        chunks = self._read_chunks(self._header)
        if not self._chunks_left and len(self._pending) > DIGEST_LENGTH:
            raise MalformedManifest("bytes follow the manifest's end")
        return chunks

    def finish(self) -> ManifestHeader:
        """Check what can only be checked at the end and give back the header, now certain."""
        if self._header is None or self._chunks_left or len(self._pending) != DIGEST_LENGTH:
            raise MalformedManifest("the manifest is cut off")
        if bytes(self._pending) != self._hash.digest():
            raise MalformedManifest("the manifest's digest does not match")
        if self._bytes_left:
            raise MalformedManifest(f"the chunks are {self._bytes_left} bytes short of the payload's size")
        if len(self._used_packs) != len(self._pack_keys):
            raise MalformedManifest("the table names a pack file in which no chunk lies")
        return self._header

    def _read_header(self) -> ManifestHeader | None:
        if self._fixed is None:
            self._fixed = self._read_fixed()
            if self._fixed is None:
                return None
        payload_sha256, size_bytes, parameters, chunk_count, pack_count = self._fixed
        at = 0
        while len(self._pack_keys) < pack_count and len(self._pending) >= at + KEY_LENGTH.size:
            (key_length,) = KEY_LENGTH.unpack_from(self._pending, at)
            end = at + KEY_LENGTH.size + key_length
            if len(self._pending) < end:
                break
            key = decode_key(bytes(self._pending[at + KEY_LENGTH.size : end]), MalformedManifest)
            if key in self._pack_keys:
                raise MalformedManifest(f"pack key {key!r} stands twice in the table")
            self._pack_keys[key] = None
            at = end
        self._take(at)
        if len(self._pack_keys) < pack_count:
            return None
        self._chunks_left, self._bytes_left = chunk_count, size_bytes
        return ManifestHeader(payload_sha256, size_bytes, parameters, tuple(self._pack_keys), chunk_count)

    def _read_fixed(self) -> tuple[bytes, int, CuttingParameters, int, int] | None:
        if len(self._pending) < HEADER.size + _FIXED.size + _NAMES.size:
            return None
        taken = self._take(HEADER.size + _FIXED.size + _NAMES.size)
        magic, version = HEADER.unpack_from(taken)
        if magic != _MAGIC:
            raise MalformedManifest("object does not begin as a payload manifest does")
        if version != FORMAT_VERSION:
            raise UnknownFormatVersion("payload manifest", version)
        sha256, size_bytes, chunks, packs, least, average, most = _FIXED.unpack_from(taken, HEADER.size)
        names = [_decode_name(name) for name in _NAMES.unpack_from(taken, HEADER.size + _FIXED.size)]
        parameters = CuttingParameters(names[0], least, average, most, names[1], names[2])
        fault = _count_fault(size_bytes, parameters, chunks, packs)
        if fault:
            raise MalformedManifest(fault)
        return sha256, size_bytes, parameters, chunks, packs

    def _read_chunks(self, header: ManifestHeader) -> list[PlacedChunk]:
        count = min(len(self._pending) // ENTRY.size, self._chunks_left)
        if not count:
            return []
        chunks = decode_entries(self._take(count * ENTRY.size), header.pack_keys, MalformedManifest)
        self._chunks_left -= count
        for chunk in chunks:
            self._bytes_left -= chunk.raw_length
            if chunk.raw_length > header.parameters.max_size_bytes:
                raise MalformedManifest(
                    f"chunk of {chunk.raw_length} bytes is larger than the largest allowed"
                )
        if self._bytes_left < 0:
            raise MalformedManifest("the chunks are more than the payload's size")
        self._used_packs.update(chunk.pack_key for chunk in chunks)
        return chunks

    def _take(self, length: int) -> bytes:
        taken = bytes(self._pending[:length])
        del self._pending[:length]
        self._hash.update(taken)
        return taken


def _encode_header(header: ManifestHeader) -> bytes:
    parameters = header.parameters
    encoded = bytearray(HEADER.pack(_MAGIC, FORMAT_VERSION))
    encoded += _FIXED.pack(
        header.payload_sha256,
        header.size_bytes,
        header.chunk_count,
        len(header.pack_keys),
        parameters.min_size_bytes,
        parameters.avg_size_bytes,
        parameters.max_size_bytes,
    )
    encoded += _NAMES.pack(
        parameters.algorithm.encode("ascii"),
        parameters.digest.encode("ascii"),
        parameters.codec.encode("ascii"),
    )
    for key in header.pack_keys:
        encoded += encode_key(key)
    return bytes(encoded)


def _decode_name(padded: bytes) -> str:
    name = padded.rstrip(b"\0")
    if not name.isascii() or b"\0" in name:
        raise UnsupportedParameters(f"cutting parameters have the name {name!r}")
    return name.decode("ascii")


def _count_fault(size_bytes: int, parameters: CuttingParameters, chunks: int, packs: int) -> str:
    if not 0 <= size_bytes <= LARGEST_NUMBER:
        return f"payload size {size_bytes} is not 0 to {LARGEST_NUMBER}"
    if not 0 <= chunks <= MANIFEST_MAX_CHUNKS or not size_bytes <= chunks * parameters.max_size_bytes:
        return f"{chunks} chunks cannot make a payload of {size_bytes} bytes"
    if chunks > size_bytes:
        return f"{chunks} chunks cannot make a payload of {size_bytes} bytes"
    if not 0 <= packs <= min(chunks, MANIFEST_MAX_PACKS) or (chunks and not packs):
        return f"{chunks} chunks cannot lie in {packs} pack files"
    return ""
