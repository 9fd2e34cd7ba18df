"""A payload as a file in a thread: bounded, closable from both sides, errors pass, nothing is left."""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from longshore_storage.errors import BlobStoreUnavailable
from longshore_storage.payloads import BlockingReader, ReadingAbandoned, read_in_thread

from .world import KIB, random_bytes, until

DATA = random_bytes(300 * KIB)


class Source:
    """Pieces of ``DATA``; counts what was asked of it."""

    def __init__(self, *, fail_at: int | None = None, stop_at: int | None = None) -> None:
        self.given = 0
        self.closed = False
        self._fail_at = fail_at
        self._stop_at = stop_at

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            for at in range(0, len(DATA), 10 * KIB):
                if self._fail_at is not None and at >= self._fail_at:
                    raise BlobStoreUnavailable("the store is away")
                if self._stop_at is not None and at >= self._stop_at:
                    await asyncio.Event().wait()
                await asyncio.sleep(0)
                self.given += 10 * KIB
                yield DATA[at : at + 10 * KIB]
        finally:
            self.closed = True


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [thread for thread in threading.enumerate() if "reader-test" in thread.name]


@pytest.mark.parametrize("size", [1, 777, 10 * KIB, 64 * KIB, -1])
async def test_the_thread_reads_what_the_source_gives(size: int) -> None:
    def read_all(file: BlockingReader) -> bytes:
        assert file.readable()
        assert not file.seekable()
        parts = []
        while part := file.read(size):
            parts.append(part)
            if len(parts) > 5000:
                parts.append(file.readall())
                break
        return b"".join(parts)

    assert await read_in_thread(Source().pieces(), read_all, buffer_bytes=20 * KIB) == DATA


async def test_it_is_a_file_for_the_standard_library() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("one")
        member.size = len(DATA)
        tar.addfile(member, io.BytesIO(DATA))

    async def pieces() -> AsyncGenerator[bytes, None]:
        body = archive.getvalue()
        for at in range(0, len(body), 5000):
            yield body[at : at + 5000]

    def unpack(file: BlockingReader) -> bytes:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            member = tar.next()
            assert member is not None
            extracted = tar.extractfile(member)
            assert extracted is not None
            return extracted.read()

    assert await read_in_thread(pieces(), unpack) == DATA


async def test_no_more_is_taken_than_there_is_room_for() -> None:
    source = Source()
    go_on = threading.Event()

    def wait_then_read(file: BlockingReader) -> bytes:
        first = file.read(1)
        assert go_on.wait(60)
        return (first or b"") + file.readall()

    reading = asyncio.create_task(read_in_thread(source.pieces(), wait_then_read, buffer_bytes=50 * KIB))
    await until(lambda: source.given >= 50 * KIB)
    for _ in range(50):
        await asyncio.sleep(0)
    assert source.given <= 70 * KIB
    go_on.set()
    assert await reading == DATA


async def test_the_thread_may_stop_early() -> None:
    source = Source()
    assert await read_in_thread(source.pieces(), lambda file: file.read(5), buffer_bytes=KIB) == DATA[:5]
    assert source.closed
    assert source.given < len(DATA)


async def test_the_thread_may_close_the_file() -> None:
    def close(file: BlockingReader) -> None:
        file.read(5)
        file.close()
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read(5)

    source = Source()
    await read_in_thread(source.pieces(), close, buffer_bytes=KIB)
    assert source.closed


async def test_what_the_thread_raises_comes_out() -> None:
    def fail(file: BlockingReader) -> None:
        file.read(5)
        raise ZeroDivisionError

    source = Source()
    with pytest.raises(ZeroDivisionError):
        await read_in_thread(source.pieces(), fail, buffer_bytes=KIB)
    assert source.closed


async def test_what_the_source_raises_is_raised_where_it_is_read() -> None:
    seen: list[BaseException] = []

    def read_all(file: BlockingReader) -> bytes:
        try:
            return file.readall()
        except BlobStoreUnavailable as error:
            seen.append(error)
            raise

    with pytest.raises(BlobStoreUnavailable) as caught:
        await read_in_thread(Source(fail_at=100 * KIB).pieces(), read_all)
    assert seen == [caught.value]


async def test_an_error_of_the_source_is_not_lost_when_the_thread_passes_over_it() -> None:
    def pass_over(file: BlockingReader) -> str:
        try:
            file.readall()
        except BlobStoreUnavailable:
            return "all is well"
        raise AssertionError

    with pytest.raises(BlobStoreUnavailable):
        await read_in_thread(Source(fail_at=0).pieces(), pass_over)


async def test_cancelled_it_waits_for_the_thread_and_the_source() -> None:
    source = Source(stop_at=50 * KIB)
    ended = threading.Event()
    seen: list[BaseException] = []

    def read_all(file: BlockingReader) -> None:
        try:
            file.readall()
        except ReadingAbandoned as error:
            seen.append(error)
            raise
        finally:
            ended.set()

    reading = asyncio.create_task(read_in_thread(source.pieces(), read_all))
    await until(lambda: source.given == 50 * KIB)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert ended.is_set()
    assert source.closed
    assert len(seen) == 1


async def test_cancelled_before_the_thread_begins() -> None:
    reading = asyncio.create_task(read_in_thread(Source().pieces(), lambda file: file.readall()))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
