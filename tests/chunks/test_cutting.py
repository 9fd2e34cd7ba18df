from __future__ import annotations

import itertools
import time

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from longshore_chunks import Cutter, CuttingParameters, UnsupportedParameters
from tests.chunks.strategies import SMALL, inputs, pieces_of


def cut(data: bytes, parameters: CuttingParameters = SMALL) -> list[bytes]:
    cutter = Cutter(parameters)
    return cutter.feed(data) + cutter.finish()


@given(data=inputs())
def test_chunks_joined_are_the_input_and_keep_to_the_sizes(data: bytes) -> None:
    chunks = cut(data)
    assert b"".join(chunks) == data
    assert all(64 <= len(chunk) <= 1024 for chunk in chunks[:-1])
    assert all(1 <= len(chunk) <= 1024 for chunk in chunks[-1:])


@given(data=st.data())
def test_cuts_do_not_depend_on_how_the_bytes_are_fed(data: st.DataObject) -> None:
    whole = data.draw(inputs())
    cutter = Cutter(SMALL)
    chunks = list(itertools.chain.from_iterable(map(cutter.feed, data.draw(pieces_of(whole)))))
    assert chunks + cutter.finish() == cut(whole)


def test_bytes_fed_one_by_one_give_the_same_cuts() -> None:
    whole = blake3(b"one by one").digest(length=8000)
    cutter = Cutter(SMALL)
    chunks = list(itertools.chain.from_iterable(cutter.feed(whole[i : i + 1]) for i in range(len(whole))))
    assert chunks + cutter.finish() == cut(whole)


@given(data=st.data())
def test_cutting_goes_on_alike_at_any_chunks_end(data: st.DataObject) -> None:
    whole = data.draw(inputs())
    chunks = cut(whole)
    done = data.draw(st.integers(0, len(chunks)))
    assert cut(whole[sum(map(len, chunks[:done])) :]) == chunks[done:]


@given(data=st.data())
def test_a_forced_border_cuts_each_side_as_a_stream_of_its_own(data: st.DataObject) -> None:
    cutter = Cutter(SMALL)
    got: list[bytes] = []
    expected: list[bytes] = []
    for part in data.draw(st.lists(inputs(max_kib=8), max_size=4)):
        for piece in data.draw(pieces_of(part)):
            got += cutter.feed(piece)
        got += cutter.cut_here()
        expected += cut(part)
    assert got + cutter.finish() == expected


def test_empty_input_has_no_chunks() -> None:
    cutter = Cutter(CuttingParameters())
    assert cutter.feed(b"") == []
    assert cutter.cut_here() == []
    assert cutter.finish() == []


def test_chunks_own_their_bytes() -> None:
    whole = bytearray(blake3(b"reused buffer").digest(length=4096))
    copy = bytes(whole)
    cutter = Cutter(SMALL)
    chunks = cutter.feed(memoryview(whole))
    whole[:] = bytes(len(whole))
    assert b"".join(chunks + cutter.finish()) == copy


def test_a_finished_cutter_takes_nothing_more() -> None:
    cutter = Cutter(SMALL)
    cutter.finish()
    with pytest.raises(ValueError, match="finished"):
        cutter.feed(b"x")


def test_an_insertion_changes_only_the_chunks_around_it() -> None:
    whole = blake3(b"insertion").digest(length=8 << 20)
    changed = whole[: 3 << 20] + b"inserted" + whole[3 << 20 :]
    before, after = cut(whole, CuttingParameters()), cut(changed, CuttingParameters())
    assert len(set(after) - set(before)) <= 4


def test_cutting_time_is_linear_in_the_input_however_small_the_pieces_are() -> None:
    def seconds(kib: int) -> float:
        whole = memoryview(bytes(kib * 1024))
        cutter = Cutter(CuttingParameters())
        start = time.process_time()
        for at in range(0, len(whole), 256):
            cutter.feed(whole[at : at + 256])
        cutter.finish()
        return time.process_time() - start

    few = min(seconds(2048) for _ in range(3))
    assert seconds(8 * 2048) < 40 * few


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"algorithm": "rabin"}, "algorithm is 'rabin'"),
        ({"digest": "sha256"}, "digest is 'sha256'"),
        ({"codec": "gzip"}, "codec is 'gzip'"),
        ({"min_size_bytes": 32}, "min_size_bytes is 32, must be 64"),
        ({"avg_size_bytes": 0}, "avg_size_bytes is 0"),
        ({"max_size_bytes": 1 << 30}, "max_size_bytes is 1073741824"),
        ({"min_size_bytes": 128 * 1024}, "must be in order"),
        ({"max_size_bytes": 32 * 1024}, "must be in order"),
    ],
)
def test_wrong_parameters_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UnsupportedParameters, match=message):
        CuttingParameters(**wrong)  # type: ignore[arg-type]
