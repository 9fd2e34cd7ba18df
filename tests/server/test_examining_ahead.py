"""Looking a payload through while it comes gives what looking through all of it gives, and leaves nothing."""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from longshore_bundles import BundleScan, CanonicalTar, PayloadFormat, SecondReadingNeeded, scan
from longshore_server.deploying.examining_ahead import ExaminationAhead
from longshore_storage.payloads import ReadingAbandoned

_PIECE_BYTES = 700


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def canonical(tmp_path: Path) -> bytes:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "pack.yaml").write_text("name: netops\nversion: 1.0.0\n")
    for number in range(20):
        (tree / f"{number}.txt").write_text(f"{number}\n" * 300)
    return b"".join(CanonicalTar(tree).blocks())


def _scan(source: BinaryIO) -> BundleScan:
    return scan(source, PayloadFormat.TAR, scratch=Path("/nonexistent"))


async def _seen(payload: bytes, ahead: ExaminationAhead[BundleScan]) -> BundleScan | None:
    async with ahead:
        pieces = [payload[at : at + _PIECE_BYTES] for at in range(0, len(payload), _PIECE_BYTES)]
        for at in range(0, len(pieces), 3):
            await ahead.follow(pieces[at : at + 3])
        return await ahead.result()


async def test_it_finds_what_a_scan_of_all_of_it_finds(canonical: bytes, threads: ThreadPoolExecutor) -> None:
    assert await _seen(canonical, ExaminationAhead(_scan, threads)) == _scan(io.BytesIO(canonical))


async def test_a_tar_that_is_cut_off_is_found_to_be(canonical: bytes, threads: ThreadPoolExecutor) -> None:
    found = await _seen(canonical[:3000], ExaminationAhead(_scan, threads))
    assert found is not None
    assert not found.accepted


async def test_one_out_of_order_is_to_be_read_again(threads: ThreadPoolExecutor) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in ("b", "a"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(SecondReadingNeeded):
        await _seen(made.getvalue(), ExaminationAhead(_scan, threads))


async def test_an_upload_goes_on_when_enough_was_seen(threads: ThreadPoolExecutor) -> None:
    found = BundleScan(PayloadFormat.TAR, "", 0, 0)

    def refuse_at_once(source: BinaryIO) -> BundleScan:
        source.read(1)
        return found

    assert await _seen(bytes(1 << 24), ExaminationAhead(refuse_at_once, threads)) is found


async def test_where_nothing_came_nothing_was_found(threads: ThreadPoolExecutor) -> None:
    assert await _seen(b"", ExaminationAhead(_scan, threads)) is None


async def test_an_upload_that_breaks_off_ends_the_looking(threads: ThreadPoolExecutor) -> None:
    reading, ended = threading.Event(), threading.Event()

    def look(source: BinaryIO) -> BundleScan:
        reading.set()
        try:
            source.read()
        except ReadingAbandoned:
            ended.set()
            raise
        raise AssertionError("nobody said that this was all")

    async with ExaminationAhead(look, threads) as ahead:
        await ahead.follow([b"the begin"])
        assert await asyncio.to_thread(reading.wait, 10)
    assert ended.is_set()
