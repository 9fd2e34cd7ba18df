from __future__ import annotations

import struct

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_chunks import (
    FOOTER_LENGTH,
    PACK_MAX_ENTRIES,
    ChunksError,
    Codec,
    MalformedFrame,
    MalformedPackFile,
    PackFile,
    PackWriter,
    PlacedChunk,
    UnknownFormatVersion,
    check_pack_header,
    chunk_digest,
    decode,
    encode,
    parse_pack_footer,
    parse_pack_index,
)
from tests.chunks.strategies import inputs

CONTENTS = [b"Longshore\n", b"a" * 300, bytes(range(200)) * 2]


def pack(contents: list[bytes]) -> PackFile:
    writer = PackWriter()
    for raw in contents:
        writer.add(chunk_digest(raw), *encode(raw), len(raw))
    return writer.finish()


def resealed(body: bytes, index: bytes, count: int, offset: int | None = None) -> bytes:
    """A pack file with the given frames and index and a CRC32C that is right."""
    sealed = index + struct.pack("<IQ", count, len(body) if offset is None else offset)
    return body + sealed + struct.pack("<I", google_crc32c.value(sealed)) + b"LSPEND\1\0"


def entry(raw: bytes, offset: int, *, codec: int = 0, stored: int = -1, length: int = -1) -> bytes:
    return struct.pack(
        "<32sBQII",
        chunk_digest(raw),
        codec,
        offset,
        len(raw) if stored < 0 else stored,
        len(raw) if length < 0 else length,
    )


@given(contents=st.lists(inputs(max_kib=4).filter(bool), min_size=1, max_size=8))
def test_round_trip(contents: list[bytes]) -> None:
    written = pack(contents)
    body = b"".join(written.parts)
    assert written.size_bytes == len(body)
    assert written.crc32c == google_crc32c.value(body)
    check_pack_header(body[:8])
    footer = parse_pack_footer(body[-FOOTER_LENGTH:], len(body))
    assert parse_pack_index(body[-footer.tail_length :], len(body)) == written.entries
    assert parse_pack_index(memoryview(body), len(body)) == written.entries
    read = [
        decode(e.codec, body[e.offset : e.offset + e.stored_length], e.raw_length) for e in written.entries
    ]
    assert read == contents
    assert [e.digest for e in written.entries] == [chunk_digest(raw) for raw in contents]


def test_the_writer_hands_on_the_very_frames_it_was_given() -> None:
    stored = encode(CONTENTS[0])[1]
    writer = PackWriter()
    writer.add(chunk_digest(CONTENTS[0]), Codec.RAW, stored, len(stored))
    assert any(part is stored for part in writer.finish().parts)


def test_a_pack_is_full_at_its_target_and_takes_no_more() -> None:
    writer = PackWriter(target_bytes=1000)
    while not writer.full:
        writer.add(bytes(32), Codec.RAW, bytes(300), 300)
    assert (writer.entry_count, writer.size_bytes) == (4, 1208)
    with pytest.raises(ValueError, match="full"):
        writer.add(bytes(32), Codec.RAW, bytes(300), 300)


def test_a_pack_is_full_with_its_largest_number_of_entries() -> None:
    writer = PackWriter()
    while not writer.full:
        writer.add(bytes(32), Codec.RAW, b"x", 1)
    assert writer.entry_count == PACK_MAX_ENTRIES
    body = b"".join(writer.finish().parts)
    assert len(parse_pack_index(body, len(body))) == PACK_MAX_ENTRIES


def test_an_entry_is_placed_under_its_packs_key() -> None:
    first = pack(CONTENTS).entries[0]
    assert first.placed("packs/x") == PlacedChunk(
        first.digest, "packs/x", first.offset, first.stored_length, first.raw_length, first.codec
    )


@pytest.mark.parametrize(
    ("digest", "codec", "stored", "raw_length", "message"),
    [
        (b"short", Codec.RAW, b"x", 1, "has 5 bytes"),
        (bytes(32), Codec.RAW, b"", 0, "raw length 0"),
        (bytes(32), Codec.RAW, b"x", 2, "is not its raw length"),
        (bytes(32), Codec.ZSTD, b"xx", 2, "stored length 2"),
        (bytes(32), Codec.ZSTD, b"", 2, "stored length 0"),
        (bytes(32), Codec.ZSTD, b"x", 1 << 25, "raw length 33554432"),
    ],
)
def test_the_writer_refuses_what_no_reader_would_take(
    digest: bytes, codec: Codec, stored: bytes, raw_length: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PackWriter().add(digest, codec, stored, raw_length)


def test_a_pack_without_chunks_is_not_written() -> None:
    with pytest.raises(ValueError, match="at least one"):
        PackWriter().finish()


def test_every_truncation_is_detected() -> None:
    body = b"".join(pack(CONTENTS).parts)
    for length in range(len(body)):
        with pytest.raises(MalformedPackFile):
            parse_pack_index(body[:length], length)
        with pytest.raises(MalformedPackFile):
            parse_pack_index(body[len(body) - length :], length)


def test_every_bit_flip_is_detected_by_the_header_the_index_or_a_chunks_digest() -> None:
    body = b"".join(pack(CONTENTS).parts)

    def read(flipped: bytes) -> None:
        check_pack_header(flipped[:8])
        for found in parse_pack_index(flipped, len(flipped)):
            stored = flipped[found.offset : found.offset + found.stored_length]
            if chunk_digest(decode(found.codec, stored, found.raw_length)) != found.digest:
                raise MalformedFrame("another digest")

    read(body)
    harmless = 0
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            read(bytes(flipped))
        except ChunksError:
            continue
        harmless += 1
    # A zstd frame may encode the same content in other ways; nothing else may pass.
    assert harmless <= 2


def test_a_tail_that_is_too_short_says_what_it_needs() -> None:
    body = b"".join(pack(CONTENTS).parts)
    needed = parse_pack_footer(body, len(body)).tail_length
    with pytest.raises(MalformedPackFile, match=f"needs the last {needed} bytes"):
        parse_pack_index(body[-needed + 1 :], len(body))


def test_a_newer_version_is_told_apart_from_damage() -> None:
    body = bytearray(b"".join(pack(CONTENTS).parts))
    body[6] = 2
    with pytest.raises(UnknownFormatVersion, match=r"version 2.*upgrade"):
        check_pack_header(bytes(body[:8]))
    body[-2] = 2
    with pytest.raises(UnknownFormatVersion):
        parse_pack_index(bytes(body), len(body))


HEADER = b"LSPACK\1\0"
FRAMES = HEADER + b"onetwo"
SEALED = {
    "no entries": (resealed(HEADER, b"", 0), "declares 0 entries"),
    "more entries than allowed": (resealed(HEADER, b"", 2**32 - 1), "declares 4294967295 entries"),
    "count too large": (resealed(FRAMES, entry(b"onetwo", 8), 2), "does not give its size"),
    "index offset elsewhere": (resealed(FRAMES, entry(b"onetwo", 8), 1, 9), "does not give its size"),
    "huge index offset": (resealed(FRAMES, entry(b"onetwo", 8), 1, 2**64 - 1), "does not give its size"),
    "overlap": (resealed(FRAMES, entry(b"onet", 8) + entry(b"two", 11), 2), "begins at 11, not at 12"),
    "gap": (resealed(FRAMES, entry(b"on", 8) + entry(b"two", 11), 2), "begins at 11, not at 10"),
    "wrong order": (resealed(FRAMES, entry(b"two", 11) + entry(b"one", 8), 2), "begins at 11, not at 8"),
    "inside the header": (resealed(FRAMES, entry(b"onetwo", 7), 1), "offset 7"),
    "offset above 63 bits": (resealed(FRAMES, entry(b"onetwo", 2**63), 1), "offset 9223372036854775808"),
    "into the index": (resealed(FRAMES, entry(b"onetwo+", 8), 1), "end at 15, the index begins at 14"),
    "unknown codec": (resealed(FRAMES, entry(b"onetwo", 8, codec=2), 1), "codec 2 is unknown"),
    "empty chunk": (resealed(FRAMES, entry(b"", 8), 1), "raw length 0"),
    "larger than raw": (resealed(FRAMES, entry(b"onetwo", 8, codec=1, length=5), 1), "stored length 6"),
    "raw length of 4 GiB": (
        resealed(FRAMES, entry(b"onetwo", 8, codec=1, length=2**32 - 1), 1),
        "raw length",
    ),
}


@pytest.mark.parametrize("case", SEALED)
def test_a_sealed_index_that_cannot_be_is_refused(case: str) -> None:
    body, message = SEALED[case]
    with pytest.raises(MalformedPackFile, match=message):
        parse_pack_index(body, len(body))


@given(tail=st.binary(max_size=400), size=st.integers(0, 2**40))
def test_arbitrary_bytes_are_refused(tail: bytes, size: int) -> None:
    with pytest.raises(MalformedPackFile):
        parse_pack_index(tail, size)
