from __future__ import annotations

import dataclasses
import struct

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_chunks import (
    SEGMENT_MAX_CHUNKS,
    ChunksError,
    Codec,
    MalformedSegment,
    PlacedChunk,
    UnknownFormatVersion,
    decode_segment,
    encode_segment,
)
from tests.chunks.strategies import placed_chunks

CHUNKS = [
    PlacedChunk(bytes([1]) * 32, "packs/a", 8, 300, 300, Codec.RAW),
    PlacedChunk(bytes([2]) * 32, "packs/b", 8, 20, 700, Codec.ZSTD),
    PlacedChunk(bytes([1]) * 32, "packs/a", 8, 300, 300, Codec.RAW),
]


def patched(at: int, replacement: bytes) -> bytes:
    blob = encode_segment(CHUNKS)
    body = blob[:at] + replacement + blob[at + len(replacement) : -4]
    return body + struct.pack("<I", google_crc32c.value(body))


@given(chunks=st.lists(placed_chunks(), min_size=1, max_size=30))
def test_round_trip(chunks: list[PlacedChunk]) -> None:
    assert decode_segment(encode_segment(chunks)) == chunks


def test_a_key_is_written_once_however_many_chunks_lie_in_its_pack() -> None:
    assert len(encode_segment(CHUNKS * 10)) == 16 + 2 * 9 + 30 * 53 + 4


def test_every_truncation_and_every_bit_flip_is_detected() -> None:
    blob = encode_segment(CHUNKS)
    for length in range(len(blob)):
        with pytest.raises(MalformedSegment):
            decode_segment(blob[:length])
    for bit in range(len(blob) * 8):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ChunksError):
            decode_segment(bytes(flipped))


SEALED = {
    "other magic": (patched(0, b"LSSEGX"), MalformedSegment, "does not begin"),
    "newer version": (patched(6, b"\2"), UnknownFormatVersion, "version 2"),
    "no keys": (patched(8, struct.pack("<I", 0)), MalformedSegment, "3 chunks in 0"),
    "more keys than chunks": (patched(8, struct.pack("<I", 4)), MalformedSegment, "3 chunks in 4"),
    "more chunks than allowed": (patched(12, struct.pack("<I", 2**32 - 1)), MalformedSegment, "4294967295"),
    "one chunk less": (patched(12, struct.pack("<I", 2)), MalformedSegment, "are not the entries of 2"),
    "one chunk more": (patched(12, struct.pack("<I", 4)), MalformedSegment, "are not the entries of 4"),
    "empty key": (patched(16, b"\0\0"), MalformedSegment, "pack key"),
    "key beyond the end": (patched(25, b"\xff\xff"), MalformedSegment, "pack key|cut off|entries"),
    "unknown pack": (patched(34 + 32, b"\2"), MalformedSegment, "pack 2 is not"),
    "unknown codec": (patched(34 + 52, b"\7"), MalformedSegment, "codec 7"),
}


@pytest.mark.parametrize("case", SEALED)
def test_sealed_segments_that_cannot_be_are_refused(case: str) -> None:
    blob, error, message = SEALED[case]
    with pytest.raises(error, match=message):
        decode_segment(blob)


@given(body=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_even_when_sealed(body: bytes) -> None:
    with pytest.raises(ChunksError):
        decode_segment(body)
    sealed = b"LSSEGM\1\0" + body
    with pytest.raises(ChunksError):
        decode_segment(sealed + struct.pack("<I", google_crc32c.value(sealed)))


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "not 0"),
        (CHUNKS[:1] * (SEGMENT_MAX_CHUNKS + 1), "not 65537"),
        ([dataclasses.replace(CHUNKS[0], digest=b"short")], "has 5 bytes"),
        ([dataclasses.replace(CHUNKS[0], pack_key="../x y")], "pack key"),
        ([dataclasses.replace(CHUNKS[0], raw_length=0)], "raw length 0"),
        ([dataclasses.replace(CHUNKS[0], offset=2**64)], "offset"),
    ],
)
def test_segments_that_cannot_be_are_not_written(chunks: list[PlacedChunk], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_segment(chunks)
