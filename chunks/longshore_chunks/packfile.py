"""The pack file: compressed chunks one after another, and at its end the index that says where.

Owns the bytes of the format (docs/formats.md shows them) and the rule when a pack file is full. Everything
needed to read one stands at its tail, so that a reader knows a pack file by its last bytes. Invariants:
frames follow the header without a gap and without overlap, in the order of the index; the index is under
a CRC32C; a frame's own check is its chunk's digest.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import Final

import google_crc32c

from .codec import Codec
from .digest import DIGEST_LENGTH, ChunkDigest
from .errors import MalformedPackFile, UnknownFormatVersion
from .places import CODECS, FORMAT_VERSION, HEADER, PlacedChunk, place_fault

PACK_TARGET_BYTES: Final = 16 * 1024 * 1024
"""A pack file is full when its frames reach this, so at most one largest chunk above it."""

PACK_MAX_ENTRIES: Final = 16_384
"""A pack file is full with so many chunks, however small: it bounds its index (800 kB) and its rows."""

HEADER_LENGTH: Final = HEADER.size
FOOTER_LENGTH: Final = 24

_MAGIC: Final = b"LSPACK"
_END_MAGIC: Final = b"LSPEND"
_ENTRY: Final = struct.Struct("<32sBQII")
_COUNT_AND_OFFSET: Final = struct.Struct("<IQ")
_CRC: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One chunk in a pack file: where its stored bytes begin, how many they are, and what they give."""

    digest: ChunkDigest
    codec: Codec
    offset: int
    stored_length: int
    raw_length: int

    def placed(self, pack_key: str) -> PlacedChunk:
        """The same chunk, named with its pack file's key."""
        return PlacedChunk(
            self.digest, pack_key, self.offset, self.stored_length, self.raw_length, self.codec
        )


@dataclass(frozen=True, slots=True)
class PackFile:
    """A finished pack file: ``parts`` joined are its bytes; ``crc32c`` is that of all of them."""

    parts: tuple[bytes, ...]
    entries: tuple[PackEntry, ...]
    size_bytes: int
    crc32c: int


class PackWriter:
    """Collects stored chunks into one pack file, without ever copying them.

    The caller looks at ``full`` after each ``add`` and then takes the file with ``finish``.
    """

    def __init__(self, target_bytes: int = PACK_TARGET_BYTES) -> None:
        self._target_bytes = target_bytes
        header = HEADER.pack(_MAGIC, FORMAT_VERSION)
        self._parts = [header]
        self._size_bytes = len(header)
        self._entries: list[PackEntry] = []

    @property
    def size_bytes(self) -> int:
        """The bytes collected so far, header included, index not."""
        return self._size_bytes

    @property
    def entry_count(self) -> int:
        """How many chunks were collected so far."""
        return len(self._entries)

    @property
    def full(self) -> bool:
        """Whether the file should be finished before the next chunk."""
        return self._size_bytes >= self._target_bytes or len(self._entries) >= PACK_MAX_ENTRIES

    def add(self, digest: ChunkDigest, codec: Codec, stored: bytes, raw_length: int) -> PackEntry:
        """Append one stored chunk. Raises ``ValueError`` for what no reader would take, or when full."""
        if self.full:
            raise ValueError("the pack file is full: finish it and begin another")
        if len(digest) != DIGEST_LENGTH:
            raise ValueError(f"chunk digest has {len(digest)} bytes, must have {DIGEST_LENGTH}")
        fault = place_fault(codec, self._size_bytes, len(stored), raw_length)
        if fault:
            raise ValueError(f"chunk {digest.hex()}: {fault}")
        entry = PackEntry(digest, codec, self._size_bytes, len(stored), raw_length)
        self._entries.append(entry)
        self._append(stored)
        return entry

    def finish(self) -> PackFile:
        """Append the index and give back the whole file, whose bytes are read once for its CRC32C.

        Raises ``ValueError`` without any chunk.
        """
        if not self._entries:
            raise ValueError("a pack file holds at least one chunk")
        index = bytearray()
        for entry in self._entries:
            index += _ENTRY.pack(
                entry.digest, entry.codec, entry.offset, entry.stored_length, entry.raw_length
            )
        index += _COUNT_AND_OFFSET.pack(len(self._entries), self._size_bytes)
        index += _CRC.pack(google_crc32c.value(bytes(index)))
        index += HEADER.pack(_END_MAGIC, FORMAT_VERSION)
        self._append(bytes(index))
        crc32c: int = functools.reduce(google_crc32c.extend, self._parts, 0)
        return PackFile(tuple(self._parts), tuple(self._entries), self._size_bytes, crc32c)

    def _append(self, part: bytes) -> None:
        self._parts.append(part)
        self._size_bytes += len(part)


@dataclass(frozen=True, slots=True)
class PackFooter:
    """A pack file's last 24 bytes: how many entries its index has and where it begins."""

    entry_count: int
    index_offset: int

    @property
    def tail_length(self) -> int:
        """The bytes from the index's begin to the file's end: what ``parse_pack_index`` needs."""
        return self.entry_count * _ENTRY.size + FOOTER_LENGTH


def parse_pack_footer(tail: bytes | memoryview, size_bytes: int) -> PackFooter:
    """Read the footer out of ``tail``, the last bytes (24 or more) of an object of ``size_bytes``.

    The index itself is checked by ``parse_pack_index`` only. Raises ``MalformedPackFile``, and
    ``UnknownFormatVersion`` for a file that a newer program wrote.
    """
    if len(tail) < FOOTER_LENGTH or len(tail) > size_bytes:
        raise MalformedPackFile(
            f"{len(tail)} bytes are not the tail of a pack file of {size_bytes}: it ends with {FOOTER_LENGTH}"
        )
    magic, version = HEADER.unpack_from(tail, len(tail) - HEADER.size)
    if magic != _END_MAGIC:
        raise MalformedPackFile("object does not end as a pack file does")
    if version != FORMAT_VERSION:
        raise UnknownFormatVersion("pack file", version)
    footer = PackFooter(*_COUNT_AND_OFFSET.unpack_from(tail, len(tail) - FOOTER_LENGTH))
    if not 1 <= footer.entry_count <= PACK_MAX_ENTRIES:
        raise MalformedPackFile(f"pack file declares {footer.entry_count} entries")
    if footer.index_offset + footer.tail_length != size_bytes:
        raise MalformedPackFile(
            f"pack file declares {footer.entry_count} entries at {footer.index_offset}, "
            f"which does not give its size of {size_bytes}"
        )
    return footer


def parse_pack_index(tail: bytes | memoryview, size_bytes: int) -> tuple[PackEntry, ...]:
    """Read the whole index out of ``tail``, at least the last ``PackFooter.tail_length`` bytes.

    The entries lie one after another from the header to the index. Raises ``MalformedPackFile``, and
    ``UnknownFormatVersion`` for a file that a newer program wrote.
    """
    footer = parse_pack_footer(tail, size_bytes)
    if len(tail) < footer.tail_length:
        raise MalformedPackFile(f"the index needs the last {footer.tail_length} bytes, not {len(tail)}")
    index = bytes(tail[len(tail) - footer.tail_length :])
    crc_offset = len(index) - HEADER.size - _CRC.size
    if _CRC.unpack_from(index, crc_offset) != (google_crc32c.value(index[:crc_offset]),):
        raise MalformedPackFile("the index's CRC32C does not match")
    entries: list[PackEntry] = []
    end = HEADER_LENGTH
    for fields in _ENTRY.iter_unpack(index[: footer.entry_count * _ENTRY.size]):
        entry = _checked_entry(*fields)
        if entry.offset != end:
            raise MalformedPackFile(f"chunk {entry.digest.hex()} begins at {entry.offset}, not at {end}")
        end += entry.stored_length
        entries.append(entry)
    if end != footer.index_offset:
        raise MalformedPackFile(f"chunks end at {end}, the index begins at {footer.index_offset}")
    return tuple(entries)


def check_pack_header(head: bytes | memoryview) -> None:
    """Check an object's first 8 bytes. Raises as ``parse_pack_footer`` does."""
    if len(head) < HEADER.size:
        raise MalformedPackFile("object is shorter than a pack file's header")
    magic, version = HEADER.unpack_from(head)
    if magic != _MAGIC:
        raise MalformedPackFile("object does not begin as a pack file does")
    if version != FORMAT_VERSION:
        raise UnknownFormatVersion("pack file", version)


def _checked_entry(
    digest: bytes, codec_number: int, offset: int, stored_length: int, raw_length: int
) -> PackEntry:
    codec = CODECS.get(codec_number)
    if codec is None:
        raise MalformedPackFile(f"chunk {digest.hex()}: codec {codec_number} is unknown")
    fault = place_fault(codec, offset, stored_length, raw_length)
    if fault:
        raise MalformedPackFile(f"chunk {digest.hex()}: {fault}")
    return PackEntry(digest, codec, offset, stored_length, raw_length)
