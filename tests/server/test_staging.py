"""Scratch for examining: never more than there is, in order, and given back whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from longshore_server.deploying.staging import Staging
from longshore_server.refusal import Reason, Refusal


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    """For a hundred bytes; all of them are there again at the end, and nothing is left."""
    with ThreadPoolExecutor(1) as threads:
        staging = Staging(tmp_path, 100, threads)
        yield staging
    assert staging._free_bytes == 100
    assert not staging._queue
    assert list(tmp_path.iterdir()) == []


class Work:
    """Something that takes room until it is told to end."""

    def __init__(self, staging: Staging, size_bytes: int) -> None:
        self._staging = staging
        self._size_bytes = size_bytes
        self._end = asyncio.Event()
        self.is_in = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._staging.room(self._size_bytes) as folder:
            (folder / "tree").mkdir()
            (folder / "tree" / "file").write_bytes(b"x" * self._size_bytes)
            self.is_in.set()
            await self._end.wait()

    async def end(self) -> None:
        self._end.set()
        await self.task


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_does_not_fit_waits_in_order(staging: Staging) -> None:
    first, large, small = Work(staging, 60), Work(staging, 70), Work(staging, 10)
    await first.is_in.wait()
    await settled()
    # There is room for the small one, but the large one came before it.
    assert not large.is_in.is_set()
    assert not small.is_in.is_set()
    await first.end()
    await large.is_in.wait()
    await small.is_in.wait()
    await large.end()
    await small.end()


async def test_one_that_gives_up_waiting_lets_the_next_in(staging: Staging) -> None:
    first, large, small = Work(staging, 60), Work(staging, 70), Work(staging, 10)
    await first.is_in.wait()
    large.task.cancel()
    await small.is_in.wait()
    assert large.task.cancelled()
    await small.end()
    await first.end()


async def test_one_that_is_cancelled_in_the_moment_of_its_turn(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Work(staging, 100), Work(staging, 100)
    await first.is_in.wait()
    await settled()
    (_, turn) = staging._queue[0]
    let_in = turn.set

    def let_in_and_cancel() -> None:
        let_in()
        second.task.cancel()

    monkeypatch.setattr(turn, "set", let_in_and_cancel)
    await first.end()
    with pytest.raises(asyncio.CancelledError):
        await second.task


async def test_work_that_is_cancelled_leaves_nothing(staging: Staging) -> None:
    work = Work(staging, 100)
    await work.is_in.wait()
    work.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work.task


async def test_what_is_too_large_does_not_wait(staging: Staging) -> None:
    work = Work(staging, 100)
    await work.is_in.wait()
    with pytest.raises(Refusal) as caught:
        async with staging.room(101):
            raise AssertionError
    assert caught.value.reason is Reason.STAGING_EXCEEDED
    assert caught.value.final
    await work.end()
