"""Damage anywhere, sources that fail, and somebody who meddles while a tree is written."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import tarfile
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import ContentRefused, PayloadFormat, scan, unpack
from longshore_bundles.tar_header import END_OF_ARCHIVE
from tests.bundles.hostile import TAR, file, refused
from tests.bundles.trees import File, Link, compressed, make_tar, make_zip, names_in


@pytest.mark.parametrize(
    "payload_format", [PayloadFormat.TAR_GZ, PayloadFormat.TAR_XZ, PayloadFormat.TAR_ZST]
)
def test_damaged_compression(payload_format: PayloadFormat) -> None:
    noise = random.Random(3).randbytes(300_000)
    data = compressed(make_tar({"a": File(noise), "b": File(noise[::-1])}), payload_format)
    assert refused(data[: len(data) // 2], payload_format) == ["ARCHIVE_TRUNCATED"]
    assert refused(b"no archive at all", payload_format) == ["ARCHIVE_CORRUPT"]
    assert refused(data + b"and something more", payload_format) == ["ARCHIVE_CORRUPT"]
    assert refused(b"", payload_format) == ["ARCHIVE_TRUNCATED"]
    if payload_format is not PayloadFormat.TAR_ZST:
        damaged = bytearray(data)
        damaged[len(data) // 2] ^= 0xFF
        assert refused(bytes(damaged), payload_format) == ["ARCHIVE_CORRUPT"]


class StoreAway(Exception):
    pass


class BreakingSource(io.BytesIO):
    """A store that goes away after some bytes."""

    def __init__(self, data: bytes, left: int, failure: Exception) -> None:
        super().__init__(data)
        self._left = left
        self._failure = failure

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(min(size, 5000) if size and size > 0 else size)
        self._left -= len(data)
        if self._left < 0:
            raise self._failure
        return data


@pytest.mark.parametrize("payload_format", list(PayloadFormat))
@pytest.mark.parametrize(
    "failure", [StoreAway("gone"), OSError("gone"), ValueError("gone"), EOFError("gone")]
)
def test_what_the_source_raises_comes_through_untouched(
    tmp_path: Path, payload_format: PayloadFormat, failure: Exception
) -> None:
    noise = random.Random(4).randbytes(100_000)
    tar = make_tar({"a": File(noise)})
    data = (
        make_zip({"a": File(noise)})
        if payload_format is PayloadFormat.ZIP
        else compressed(tar, payload_format)
    )
    for left in (0, 30_000):
        with pytest.raises(type(failure)) as caught:
            scan(BreakingSource(data, left, failure), payload_format, scratch=tmp_path)
        assert caught.value is failure
        with pytest.raises(type(failure)) as caught:
            unpack(BreakingSource(data, left, failure), tmp_path / "t", payload_format, file_name="f")
        assert caught.value is failure
        assert names_in(tmp_path) == []


def test_the_destination_must_be_new_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(FileExistsError):
        unpack(io.BytesIO(make_tar({"a": File(b"")})), tmp_path, TAR)
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        unpack(io.BytesIO(make_tar({"a": File(b"")})), tmp_path.parent / f"{tmp_path.name}-link", TAR)
    assert names_in(tmp_path) == ["kept"]


def test_somebody_beside_cannot_lead_a_write_outside(tmp_path: Path) -> None:
    """Links that appear in the tree while it is written are not followed."""

    class Planting(io.BytesIO):
        planted = False

        def read(self, size: int | None = -1) -> bytes:
            if (tmp_path / "t/first").exists() and not self.planted:
                self.planted = True
                plant()
            return super().read(min(size, 512) if size and size > 0 else size)

    def plant() -> None:
        (tmp_path / "t/dir").symlink_to(tmp_path / "outside")

    (tmp_path / "outside").mkdir()
    data = file("first", bytes(2 << 20)) + file("dir/x", b"evil") + END_OF_ARCHIVE
    with pytest.raises(OSError, match="dir"):
        unpack(Planting(data), tmp_path / "t", TAR)
    assert names_in(tmp_path / "outside") == []
    assert names_in(tmp_path) == ["outside"]


_SAMPLES: list[tuple[PayloadFormat, bytes]] = [
    (TAR, make_tar({"a/b": File(b"x" * 700), "l": Link("a"), "n" * 150: File(b"y")}, tar_format=fmt))
    for fmt in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
] + [
    (PayloadFormat.ZIP, make_zip({"a/b": File(b"x" * 700), "l": Link("a"), "c": File(b"y")})),
    (PayloadFormat.TAR_GZ, gzip.compress(make_tar({"a": File(b"x" * 700)}))),
    (PayloadFormat.TAR_XZ, lzma.compress(make_tar({"a": File(b"x" * 700)}))),
    (PayloadFormat.TAR_ZST, zstandard.compress(make_tar({"a": File(b"x" * 700)}))),
]


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(_SAMPLES),
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 40_000),
)
def test_damage_anywhere_is_answered_and_stays_inside(
    sample: tuple[PayloadFormat, bytes], damage: list[tuple[int, int]], length: int
) -> None:
    payload_format, data = sample
    damaged = bytearray(data[: max(length, 1)] if length < len(data) else data)
    for position, value in damage:
        damaged[position % len(damaged)] = value
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside, "inner")
        folder.mkdir()
        scanned = scan(io.BytesIO(bytes(damaged)), payload_format, scratch=folder)
        try:
            result = unpack(io.BytesIO(bytes(damaged)), folder / "t", payload_format)
            assert scanned == result.scan
        except ContentRefused:
            assert not scanned.accepted
            assert names_in(folder) == []
        assert names_in(Path(outside)) == ["inner"]
