"""Payloads become windows of chunks that are the payload, however it comes and wherever one begins."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import IO

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore_bundles import CanonicalTar
from longshore_chunks.cutting import CuttingParameters
from longshore_chunks.digest import chunk_digest
from longshore_client.errors import PayloadChanged, PayloadUnreadable
from longshore_client.fingerprints import Fingerprints
from longshore_client.payloads import DirectoryPayload, FilePayload, Payload, StreamedPayload
from longshore_client.pieces import Piece, PieceReader
from longshore_client.windows import Window, WindowReader

_SMALL = CuttingParameters(min_size_bytes=64, avg_size_bytes=256, max_size_bytes=1024)


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


async def _windows(
    payload: Payload,
    *,
    start: int = 0,
    fingerprints: Fingerprints | None = None,
    cutting: CuttingParameters = _SMALL,
) -> tuple[list[Window], WindowReader]:
    reader = WindowReader(payload, cutting, start_offset=start, fingerprints=fingerprints or Fingerprints())
    return [window async for window in reader.windows()], reader


async def _read(
    payload: Payload, *, start: int = 0, fingerprints: Fingerprints | None = None
) -> tuple[list[Piece], PieceReader]:
    reader = PieceReader(payload, start_offset=start, fingerprints=fingerprints or Fingerprints())
    return [piece async for group in reader.pieces() for piece in group], reader


def _joined(windows: list[Window]) -> bytes:
    return b"".join(chunk.raw for window in windows for chunk in window.chunks)


def _reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("longshore-")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=20_000), piece=st.integers(1, 5_000), start=st.integers(0, 20_000))
async def test_windows_are_the_payload_from_the_offset_on(data: bytes, piece: int, start: int) -> None:
    start = min(start, len(data))
    payload = StreamedPayload(_pieces(data, piece), size_bytes=None)
    windows, reader = await _windows(payload, start=start)
    await payload.close()
    assert _joined(windows) == data[start:]
    assert reader.complete
    assert reader.sha256 == (hashlib.sha256(data).hexdigest() if start else "")
    offset = start
    for window in windows:
        assert window.offset == offset
        assert window.size_bytes == sum(len(chunk.raw) for chunk in window.chunks)
        assert all(chunk.digest == chunk_digest(chunk.raw) for chunk in window.chunks)
        offset += window.size_bytes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 5 << 20), piece=st.integers(1000, 3 << 20), start=st.integers(0, 5 << 20))
async def test_pieces_are_the_payload_from_the_offset_on(size: int, piece: int, start: int) -> None:
    data = blake3(b"pieces").digest(length=size)
    start = min(start, size)
    payload = StreamedPayload(_pieces(data, piece), size_bytes=None)
    pieces, reader = await _read(payload, start=start)
    await payload.close()
    assert b"".join(each.data for each in pieces) == data[start:]
    assert all(0 < len(each.data) <= 1 << 20 for each in pieces)
    assert [each.offset for each in pieces] == list(
        itertools.accumulate((len(each.data) for each in pieces[:-1]), initial=start)
    )[: len(pieces)]
    assert reader.complete
    assert (reader.size_bytes, reader.sha256) == (size, hashlib.sha256(data).hexdigest())


async def test_pieces_of_a_directory_are_its_canonical_tar(tree: Path) -> None:
    (tree / "large.bin").write_bytes(os.urandom(3 << 20))
    pieces, _ = await _read(DirectoryPayload(tree))
    assert b"".join(each.data for each in pieces) == b"".join(CanonicalTar(tree))


async def test_a_file_that_changed_between_two_plain_readings_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom((2 << 20) + 10))
    fingerprints = Fingerprints()
    reader = PieceReader(FilePayload(path), start_offset=0, fingerprints=fingerprints)
    async with aclosing(reader.pieces()) as pieces:
        await anext(pieces)
    await _read(FilePayload(path), start=1 << 20, fingerprints=fingerprints)
    with path.open("r+b") as file:
        file.seek(2 << 20)
        file.write(b"changed")
    with pytest.raises(PayloadChanged):
        await _read(FilePayload(path), start=2 << 20, fingerprints=fingerprints)


async def test_a_directory_is_its_canonical_tar(tree: Path) -> None:
    payload = DirectoryPayload(tree)
    windows, _ = await _windows(payload, cutting=CuttingParameters())
    whole = b"".join(CanonicalTar(tree))
    assert _joined(windows) == whole
    assert payload.size_bytes == len(whole)


async def test_the_same_file_is_the_same_chunks_in_any_tree(tree: Path, tmp_path: Path) -> None:
    content = os.urandom(200_000)
    (tree / "moved.bin").write_bytes(content)
    other = tmp_path / "other"
    other.mkdir()
    (other / "elsewhere.bin").write_bytes(content)
    first, _ = await _windows(DirectoryPayload(tree), cutting=CuttingParameters())
    second, _ = await _windows(DirectoryPayload(other), cutting=CuttingParameters())
    alone, _ = await _windows(FilePayload(other / "elsewhere.bin"), cutting=CuttingParameters())

    def digests(windows: list[Window]) -> set[bytes]:
        return {chunk.digest for window in windows for chunk in window.chunks}

    assert digests(alone) <= digests(first)
    assert digests(alone) <= digests(second)


async def test_a_window_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(40 << 20))
    windows, _ = await _windows(FilePayload(path), cutting=CuttingParameters())
    assert len(windows) > 1
    assert max(window.size_bytes for window in windows) < (16 << 20) + (256 << 10)


async def test_an_iterator_can_be_read_again_although_it_gives_its_bytes_once() -> None:
    data = os.urandom(50_000)
    payload = StreamedPayload(_pieces(data, 7_000), size_bytes=None)
    fingerprints = Fingerprints()
    reader = WindowReader(payload, _SMALL, start_offset=0, fingerprints=fingerprints)
    async with aclosing(reader.windows()) as windows:
        await anext(windows)
    again, _ = await _windows(payload, start=10_000, fingerprints=fingerprints)
    assert _joined(again) == data[10_000:]
    await payload.close()


async def test_a_file_that_changed_between_two_readings_is_found_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(30_000))
    fingerprints = Fingerprints()
    await _windows(FilePayload(path), fingerprints=fingerprints)
    with path.open("r+b") as file:
        file.write(b"changed")
    with pytest.raises(PayloadChanged):
        await _windows(FilePayload(path), start=20_000, fingerprints=fingerprints)


async def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(30_000))
    payload = FilePayload(path)
    os.truncate(path, 10_000)
    with pytest.raises(PayloadChanged, match="changed its size"):
        await _windows(payload)


async def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PayloadUnreadable, match="missing"):
        FilePayload(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PayloadUnreadable, match="pipe"):
        await _windows(DirectoryPayload(tmp_path))


async def test_leaving_early_or_being_cancelled_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(64 << 20))
    reader = WindowReader(FilePayload(path), CuttingParameters(), start_offset=0, fingerprints=Fingerprints())
    async with aclosing(reader.windows()) as windows:
        await anext(windows)
        assert _reading_threads()
    assert not _reading_threads()
    plain = PieceReader(FilePayload(path), start_offset=0, fingerprints=Fingerprints())
    async with aclosing(plain.pieces()) as pieces:
        await anext(pieces)
        assert _reading_threads()
    assert not _reading_threads()

    task = asyncio.create_task(_windows(FilePayload(path), cutting=CuttingParameters()))
    for _ in range(3):
        await asyncio.sleep(0)
    assert _reading_threads()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _reading_threads()


async def test_an_error_of_the_callers_iterator_is_the_callers() -> None:
    class MineError(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 5_000
        raise MineError

    payload = StreamedPayload(broken(), size_bytes=None)
    with pytest.raises(MineError):
        await _windows(payload)
    await payload.close()
    assert not _reading_threads()


async def test_cancelled_while_the_temporary_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opening, may_go_on = threading.Event(), threading.Event()
    opened: list[IO[bytes]] = []

    def slowly(*, prefix: str) -> IO[bytes]:
        opening.set()
        assert may_go_on.wait(20)
        opened.append(temporary_file(prefix=prefix))
        return opened[0]

    temporary_file = tempfile.TemporaryFile
    monkeypatch.setattr("longshore_client.payloads.tempfile.TemporaryFile", slowly)
    payload = StreamedPayload(_pieces(b"x" * 5_000, 1_000), size_bytes=None)
    task = asyncio.create_task(_windows(payload))
    assert await asyncio.to_thread(opening.wait, 20)
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, may_go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    await payload.close()
    assert [file.closed for file in opened] == [True]


async def test_where_no_temporary_file_can_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    payload = StreamedPayload(_pieces(b"x" * 5_000, 1_000), size_bytes=None)
    with pytest.raises(PayloadUnreadable, match="No such file or directory: set TMPDIR to a folder"):
        await _windows(payload)
    await payload.close()
