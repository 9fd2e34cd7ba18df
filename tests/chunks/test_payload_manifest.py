from __future__ import annotations

import dataclasses
import itertools
import struct
import tracemalloc
from collections.abc import Iterator

import google_crc32c
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from longshore_chunks import (
    ChunksError,
    Codec,
    CuttingParameters,
    MalformedManifest,
    ManifestHeader,
    ManifestReader,
    ManifestWriter,
    PlacedChunk,
    UnknownFormatVersion,
    UnsupportedParameters,
)
from tests.chunks.strategies import SMALL, pieces_of, placed_chunks

CHUNKS = [
    PlacedChunk(bytes([1]) * 32, "packs/a", 8, 300, 300, Codec.RAW),
    PlacedChunk(bytes([2]) * 32, "packs/b", 8, 20, 700, Codec.ZSTD),
    PlacedChunk(bytes([1]) * 32, "packs/a", 8, 300, 300, Codec.RAW),
]


def header_of(chunks: list[PlacedChunk]) -> ManifestHeader:
    return ManifestHeader(
        payload_sha256=bytes(range(32)),
        size_bytes=sum(chunk.raw_length for chunk in chunks),
        parameters=SMALL,
        pack_keys=tuple(dict.fromkeys(chunk.pack_key for chunk in chunks)),
        chunk_count=len(chunks),
    )


def write(chunks: list[PlacedChunk]) -> bytes:
    writer = ManifestWriter(header_of(chunks))
    body = writer.add(chunks) + writer.finish()
    assert (writer.size_bytes, writer.crc32c) == (len(body), google_crc32c.value(body))
    return body


def read(body: bytes) -> tuple[ManifestHeader, list[PlacedChunk]]:
    reader = ManifestReader()
    chunks = reader.feed(body)
    return reader.finish(), chunks


def resealed(body: bytes) -> bytes:
    return body[:-32] + blake3(body[:-32]).digest()


@given(data=st.data())
def test_round_trip_in_pieces(data: st.DataObject) -> None:
    chunks = data.draw(st.lists(placed_chunks(), max_size=30))
    writer = ManifestWriter(header_of(chunks))
    half = data.draw(st.integers(0, len(chunks)))
    body = writer.add(chunks[:half]) + writer.add(chunks[half:]) + writer.finish()
    reader = ManifestReader()
    got = list(itertools.chain.from_iterable(map(reader.feed, data.draw(pieces_of(body)))))
    assert got == chunks
    assert reader.header == header_of(chunks)
    assert reader.finish() == header_of(chunks)


def test_an_empty_payload_has_a_manifest() -> None:
    assert read(write([])) == (header_of([]), [])


def test_fed_byte_by_byte() -> None:
    body = write(CHUNKS)
    reader = ManifestReader()
    assert (
        list(itertools.chain.from_iterable(reader.feed(body[i : i + 1]) for i in range(len(body)))) == CHUNKS
    )
    assert reader.finish() == header_of(CHUNKS)


def test_every_truncation_is_detected() -> None:
    body = write(CHUNKS)
    for length in range(len(body)):
        with pytest.raises(MalformedManifest):
            read(body[:length])


def test_every_bit_flip_is_detected() -> None:
    body = write(CHUNKS)
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ChunksError):
            read(bytes(flipped))


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(MalformedManifest, match="follow the manifest's end"):
        read(write(CHUNKS) + b"\0")


FIXED = 8
SIZE, COUNT, PACKS, MAX = FIXED + 32, FIXED + 40, FIXED + 44, FIXED + 56
NAMES = FIXED + 60
TABLE = NAMES + 48
ENTRIES = TABLE + 2 * 9


def patched(at: int, replacement: bytes) -> bytes:
    body = write(CHUNKS)
    return resealed(body[:at] + replacement + body[at + len(replacement) :])


SEALED = {
    "other magic": (patched(0, b"LSMANX"), MalformedManifest, "does not begin"),
    "newer version": (patched(6, b"\2"), UnknownFormatVersion, "version 2"),
    "size too small": (patched(SIZE, struct.pack("<Q", 1299)), MalformedManifest, "more than the payload's"),
    "size too large": (patched(SIZE, struct.pack("<Q", 1301)), MalformedManifest, "1 bytes short"),
    "size beyond its chunks": (patched(SIZE, struct.pack("<Q", 9999)), MalformedManifest, "cannot make"),
    "size above 63 bits": (patched(SIZE, struct.pack("<Q", 2**63)), MalformedManifest, "payload size"),
    "more chunks than bytes": (
        patched(COUNT, struct.pack("<I", 2**32 - 1)),
        MalformedManifest,
        "cannot make",
    ),
    "one chunk less": (patched(COUNT, struct.pack("<I", 2)), MalformedManifest, "follow the manifest's end"),
    "one chunk more": (patched(COUNT, struct.pack("<I", 4)), MalformedManifest, "cut off"),
    "no packs": (patched(PACKS, struct.pack("<I", 0)), MalformedManifest, "0 pack files"),
    "more packs than chunks": (patched(PACKS, struct.pack("<I", 4)), MalformedManifest, "4 pack files"),
    "sizes out of order": (patched(MAX, struct.pack("<I", 1 << 30)), UnsupportedParameters, "max_size_bytes"),
    "unknown algorithm": (patched(NAMES, b"rabin\0\0\0\0\0\0\0"), UnsupportedParameters, "rabin"),
    "name with a hole": (patched(NAMES + 16, b"bl\0ke3"), UnsupportedParameters, "name"),
    "name not ascii": (patched(NAMES + 16, b"\xff"), UnsupportedParameters, "name"),
    "empty key": (patched(TABLE, b"\0\0"), MalformedManifest, "pack key ''"),
    "key too long": (patched(TABLE, b"\xff\xff"), MalformedManifest, "cut off"),
    "key of other letters": (patched(TABLE + 2, b"Packs"), MalformedManifest, "pack key"),
    "the same key twice": (patched(TABLE + 9, struct.pack("<H", 7) + b"packs/a"), MalformedManifest, "twice"),
    "unknown pack": (patched(ENTRIES + 32, struct.pack("<I", 2)), MalformedManifest, "pack 2 is not"),
    "unused pack": (patched(ENTRIES + 53 + 32, struct.pack("<I", 0)), MalformedManifest, "no chunk lies"),
    "unknown codec": (patched(ENTRIES + 52, b"\7"), MalformedManifest, "codec 7"),
    "offset in a header": (patched(ENTRIES + 36, b"\0"), MalformedManifest, "offset 0"),
    "raw length not the stored": (patched(ENTRIES + 44, b"\1"), MalformedManifest, "stored length"),
    "wrong digest": (write(CHUNKS)[:-1] + b"\0", MalformedManifest, "digest does not match"),
}


@pytest.mark.parametrize("case", SEALED)
def test_sealed_manifests_that_cannot_be_are_refused(case: str) -> None:
    body, error, message = SEALED[case]
    with pytest.raises(error, match=message):
        read(body)


def test_a_chunk_above_the_largest_is_refused() -> None:
    large = [PlacedChunk(bytes(32), "packs/a", 8, 2000, 2000, Codec.RAW), CHUNKS[0]]
    wide = dataclasses.replace(SMALL, max_size_bytes=2000)
    writer = ManifestWriter(dataclasses.replace(header_of(CHUNKS[:1] * 3), size_bytes=2300, chunk_count=3))
    with pytest.raises(ValueError, match="larger than the largest"):
        writer.add(large)
    writer = ManifestWriter(ManifestHeader(bytes(32), 2300 + 300, wide, ("packs/a",), 3))
    body = writer.add([*large, CHUNKS[0]]) + writer.finish()
    narrowed = resealed(body[:MAX] + struct.pack("<I", 1024) + body[MAX + 4 :])
    with pytest.raises(MalformedManifest, match="larger than the largest"):
        read(narrowed)


@given(body=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(ChunksError):
        read(body)
    with pytest.raises(ChunksError):
        read(b"LSMANI\1\0" + body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"payload_sha256": b"short"}, "has 5 bytes"),
        ({"size_bytes": -1}, "payload size -1"),
        ({"chunk_count": 0}, "cannot make"),
        ({"pack_keys": ()}, "in 0 pack files"),
        ({"pack_keys": ("packs/a", "packs/a")}, "stands twice"),
    ],
)
def test_headers_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(header_of(CHUNKS), **change)  # type: ignore[arg-type]


def test_the_writer_holds_its_caller_to_the_header() -> None:
    with pytest.raises(ValueError, match="more chunks than"):
        ManifestWriter(header_of(CHUNKS)).add(CHUNKS * 2)
    with pytest.raises(ValueError, match="not in the table"):
        ManifestWriter(header_of(CHUNKS[:1])).add(CHUNKS[1:2])
    with pytest.raises(ValueError, match="pack key"):
        ManifestWriter(dataclasses.replace(header_of(CHUNKS), pack_keys=("Nö",)))
    short = ManifestWriter(header_of(CHUNKS))
    short.add(CHUNKS[:2])
    with pytest.raises(ValueError, match="1 chunks and 300 bytes are missing"):
        short.finish()
    unused = ManifestWriter(header_of(CHUNKS))
    unused.add([CHUNKS[0], dataclasses.replace(CHUNKS[1], pack_key="packs/a"), CHUNKS[2]])
    with pytest.raises(ValueError, match="no chunk lies in pack 'packs/b'"):
        unused.finish()


def test_a_payload_of_gigabytes_is_written_and_read_in_a_few_megabytes() -> None:
    count, keys = 40_000, tuple(f"packs/{n:032x}" for n in range(200))
    raw = 64 * 1024

    def batches() -> Iterator[list[PlacedChunk]]:
        for start in range(0, count, 256):
            yield [
                PlacedChunk(n.to_bytes(32, "big"), keys[n % 200], 8 + n * raw, raw, raw, Codec.RAW)
                for n in range(start, min(start + 256, count))
            ]

    header = ManifestHeader(bytes(32), count * raw, CuttingParameters(), keys, count)
    tracemalloc.start()
    try:
        writer, reader, seen = ManifestWriter(header), ManifestReader(), 0
        for batch in batches():
            seen += len(reader.feed(writer.add(batch)))
        seen += len(reader.feed(writer.finish()))
        assert reader.finish() == header
        assert seen == count
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 < writer.size_bytes
    finally:
        tracemalloc.stop()
