from __future__ import annotations

import random
import struct
import threading
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from longshore_chunks import (
    Codec,
    MalformedFrame,
    chunk_digest,
    decode,
    decode_untrusted,
    encode,
    encode_run,
    frame_bound,
    stored_form,
)
from tests.chunks.strategies import inputs

MAX = 256 * 1024
TEXT = b"every node reads the stored payload itself\n" * 900
NOISE = random.Random(1).randbytes(40_000)


def frame(raw: bytes = TEXT, *, write_content_size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_content_size=write_content_size).compress(raw)


def raw_frame(content_size: int, blocks: bytes, *, window_byte: int | None = None, flags: int = 0) -> bytes:
    """A zstd frame made by hand (RFC 8878): 8 bytes of content size, single segment without a window."""
    descriptor = 0b1100_0000 | (0b0010_0000 if window_byte is None else 0) | flags
    window = b"" if window_byte is None else bytes([window_byte])
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + window + struct.pack("<Q", content_size) + blocks


def block(kind: int, size: int, body: bytes, *, last: bool = True) -> bytes:
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + body


@given(raw=inputs().filter(bool))
def test_encode_and_decode_round_trip(raw: bytes) -> None:
    codec, stored = encode(raw)
    assert decode(codec, stored, len(raw)) == raw
    assert decode(codec, memoryview(stored), len(raw)) == raw
    assert (codec is Codec.ZSTD) == (len(stored) < len(raw))


@given(raw=inputs().filter(bool))
def test_what_encode_compresses_is_a_frame_that_a_server_takes(raw: bytes) -> None:
    assert decode_untrusted(frame(raw), MAX) == raw
    assert len(frame(raw)) <= frame_bound(len(raw))


@given(kinds=st.lists(st.booleans(), max_size=60))
def test_a_run_is_given_back_whatever_was_tried(kinds: list[bool]) -> None:
    raws = [TEXT if compresses else NOISE for compresses in kinds]
    stored = list(encode_run(raws))
    assert [decode(codec, each, len(raw)) for (codec, each), raw in zip(stored, raws, strict=True)] == raws
    assert all(
        codec is Codec.RAW for (codec, _), compresses in zip(stored, kinds, strict=True) if not compresses
    )


def test_in_a_run_compression_is_given_up_for_a_while_and_taken_up_again() -> None:
    codecs = [codec for codec, _ in encode_run([TEXT] * 3 + [NOISE] * 8 + [TEXT] * 20)]
    assert codecs[:3] == [Codec.ZSTD] * 3
    assert codecs[3:11] == [Codec.RAW] * 8
    found = codecs.index(Codec.ZSTD, 11)
    assert found <= 11 + 8
    assert codecs[found:] == [Codec.ZSTD] * (31 - found), "one that gets smaller ends it"


def test_compression_is_used_only_where_it_helps() -> None:
    assert encode(TEXT)[0] is Codec.ZSTD
    assert encode(NOISE) == (Codec.RAW, NOISE)
    assert stored_form(NOISE, frame(NOISE)) == (Codec.RAW, NOISE)
    assert stored_form(TEXT, frame(TEXT)) == (Codec.ZSTD, frame(TEXT))


def test_our_frames_declare_their_size_and_carry_no_checksum_and_no_dictionary() -> None:
    header = zstandard.get_frame_parameters(encode(TEXT)[1])
    assert header.content_size == len(TEXT)
    assert (header.has_checksum, header.dict_id) == (False, 0)


def test_digest_is_blake3() -> None:
    # The empty input's vector of https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors
    assert chunk_digest(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert chunk_digest(memoryview(TEXT)) == chunk_digest(TEXT)


def dictionary_frame() -> bytes:
    samples: list[bytes | bytearray | memoryview] = [
        b"node %d reads the payload %d" % (i, i * i) for i in range(2000)
    ]
    dictionary = zstandard.train_dictionary(4096, samples)
    return zstandard.ZstdCompressor(dict_data=dictionary).compress(b"node 7 reads the payload 49")


HOSTILE = {
    "nothing": (b"", "not a zstd frame"),
    "not zstd": (b"PK\3\4" + bytes(100), "not a zstd frame"),
    "skippable frame": (struct.pack("<II", 0x184D2A50, 4) + b"data", "not a zstd frame"),
    "skippable frame first": (struct.pack("<II", 0x184D2A50, 4) + b"data" + frame(), "not a zstd frame"),
    "zstd 0.7": (b"\x27\xb5\x2f\xfd" + frame()[4:], "not a zstd frame"),
    "header only": (frame()[:5], "header is damaged"),
    "no content size": (frame(write_content_size=False), "does not declare its content size"),
    "empty content": (frame(b""), "declares 0 bytes"),
    "content above the limit": (frame(bytes(MAX + 1)), f"declares {MAX + 1} bytes"),
    "declares 16 EiB": (raw_frame(2**64 - 2, block(1, 100, b"a")), "declares 18446744073709551614 bytes"),
    "dictionary": (dictionary_frame(), "needs a dictionary"),
    "window above the limit": (raw_frame(100, block(1, 100, b"a"), window_byte=0x80), "has a window of"),
    "window of 3.75 TiB": (raw_frame(100, block(1, 100, b"a"), window_byte=0xFF), "has a window of|damaged"),
    "second frame behind": (frame() + frame(), "not exactly one frame"),
    "empty frame behind": (frame() + frame(b""), "not exactly one frame"),
    "skippable frame behind": (frame() + struct.pack("<II", 0x184D2A50, 0), "not exactly one frame"),
    "byte behind": (frame() + b"\0", "not exactly one frame"),
    "cut off": (frame()[:-1], "damaged"),
    "gives more than declared": (raw_frame(100, block(1, 101, b"a")), "damaged"),
    "bomb behind a small size": (raw_frame(100, block(1, 128 * 1024, b"a", last=False) * 20), "damaged"),
    "gives less than declared": (raw_frame(101, block(1, 100, b"a")), "damaged|gives 100 bytes"),
    "reserved bit": (raw_frame(100, block(1, 100, b"a"), flags=0b1000), "damaged"),
    "reserved block": (raw_frame(100, block(3, 100, b"a" * 100)), "damaged"),
    "padded with empty blocks": (
        raw_frame(100, block(0, 0, b"", last=False) * 5000 + block(1, 100, b"a")),
        "for a chunk of only 100",
    ),
    "longer than any chunk needs": (frame() + bytes(MAX * 2), "at most"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_frames_are_refused_within_the_memory_of_one_chunk(case: str) -> None:
    hostile, message = HOSTILE[case]
    decode_untrusted(frame(), MAX)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedFrame, match=message):
            decode_untrusted(hostile, MAX)
        assert tracemalloc.get_traced_memory()[1] < 2 * MAX
    finally:
        tracemalloc.stop()


def test_frames_by_hand_are_taken_when_they_keep_the_rules() -> None:
    assert decode_untrusted(raw_frame(100, block(1, 100, b"a")), MAX) == b"a" * 100
    # A window of 256 KiB, larger than the content, no larger than the largest chunk: the node that reads
    # the stored frame later must take what the server took.
    windowed = raw_frame(100, block(1, 100, b"a"), window_byte=0x40)
    assert decode_untrusted(windowed, MAX) == decode(Codec.ZSTD, windowed, 100) == b"a" * 100


@given(data=st.data())
def test_a_changed_frame_gives_an_error_or_another_content_never_anything_else(data: st.DataObject) -> None:
    changed = bytearray(frame())
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert len(decode_untrusted(bytes(changed), MAX)) <= MAX
    except MalformedFrame:
        return


def test_stored_chunks_of_another_length_are_refused() -> None:
    for codec, stored in (encode(TEXT), encode(NOISE)):
        with pytest.raises(MalformedFrame, match="were declared"):
            decode(codec, stored, 39_999)
    with pytest.raises(MalformedFrame, match="were declared"):
        decode(Codec.ZSTD, raw_frame(2**40, block(1, 100, b"a")), 100)


def test_threads_do_not_share_their_contexts() -> None:
    failures: list[object] = []

    def work(seed: int) -> None:
        noise = random.Random(seed)
        for _ in range(50):
            raw = noise.randbytes(200) * noise.randint(1, 200)
            if decode(*encode(raw), len(raw)) != raw:
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
