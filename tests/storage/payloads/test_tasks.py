"""The shapes that storing and reading are made of: order is kept, the first error wins, no task is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from longshore_storage.payloads.tasks import TaskScope, Turns, in_order, settled, together
from longshore_storage.payloads.threads import Workers


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def fail_after(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    raise ZeroDivisionError(turns)


async def forever() -> None:
    await asyncio.Event().wait()


class TestTaskScope:
    async def test_the_block_ends_with_the_first_error_itself(self) -> None:
        async def work() -> None:
            async with TaskScope() as scope:
                scope.start(fail_after(5))
                scope.start(fail_after(1))
                scope.start(forever())
                await forever()

        with pytest.raises(ZeroDivisionError, match="1"):
            await work()

    async def test_the_blocks_own_error_comes_out_itself(self) -> None:
        async def work() -> None:
            async with TaskScope() as scope:
                scope.start(forever())
                raise KeyError

        with pytest.raises(KeyError):
            await work()

    async def test_its_end_ends_the_tasks(self) -> None:
        async with TaskScope() as scope:
            task = scope.start(forever())
            await asyncio.sleep(0)
        assert task.cancelled()

    async def test_what_is_to_be_done_at_the_end_is_done_for_tasks_that_never_ran(self) -> None:
        ended: list[int] = []
        async with TaskScope() as scope:
            for number in range(3):
                scope.start(forever(), at_end=lambda number=number: ended.append(number))  # type: ignore[misc]
        await asyncio.sleep(0)
        assert sorted(ended) == [0, 1, 2]

    async def test_a_cancellation_from_outside_stays_one(self) -> None:
        async def work() -> None:
            async with TaskScope() as scope:
                scope.start(forever())
                await forever()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestTurns:
    async def test_they_pass_in_the_order_taken(self) -> None:
        turns, passed = Turns(), list[int]()
        taken = [(number, turns.take()) for number in range(5)]

        async def go(number: int) -> None:
            async with taken[number][1]:
                passed.append(number)

        await asyncio.gather(*(go(number) for number in (3, 1, 4, 0, 2)))
        assert passed == [0, 1, 2, 3, 4]

    async def test_nobody_passes_behind_a_failure(self) -> None:
        turns, passed = Turns(), list[int]()

        async def go(number: int) -> None:
            async with turns.take():
                if number == 1:
                    raise ZeroDivisionError
                passed.append(number)

        async def work() -> None:
            async with TaskScope() as scope:
                for number in range(4):
                    scope.start(go(number))
                await forever()

        with pytest.raises(ZeroDivisionError):
            await work()
        assert passed == [0]


class TestInOrder:
    async def numbers(self, count: int) -> AsyncGenerator[int, None]:
        for number in range(count):
            yield number

    async def test_results_come_in_order_with_so_many_at_once(self) -> None:
        running = peak = 0

        async def work(number: int) -> int:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            for _ in range(10 - number):
                await asyncio.sleep(0)
            running -= 1
            return number * 2

        results = [result async for result in in_order(self.numbers(10), work, at_once=3)]
        assert results == list(range(0, 20, 2))
        assert peak == 3

    async def test_an_error_comes_in_its_place(self) -> None:
        async def work(number: int) -> int:
            return 6 // (3 - number)

        results = in_order(self.numbers(10), work, at_once=4)
        assert [await anext(results) for _ in range(3)] == [2, 3, 6]
        with pytest.raises(ZeroDivisionError):
            await anext(results)

    async def test_left_early_it_ends_its_tasks(self) -> None:
        async def work(number: int) -> int:
            if number:
                await forever()
            return number

        async with aclosing(in_order(self.numbers(10), work, at_once=1)) as results:
            assert await anext(results) == 0
        async with aclosing(in_order(self.numbers(10), work, at_once=2)) as results:
            assert await anext(results) == 0


async def test_together_gives_results_in_order_and_ends_all_at_an_error() -> None:
    async def give(number: int) -> int:
        return number

    assert await together(give(number) for number in range(5)) == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        await together([fail_after(2), forever()])


async def test_settled_waits_through_a_cancellation() -> None:
    released = asyncio.Event()
    inner = asyncio.create_task(released.wait())
    waiting = asyncio.create_task(settled([inner]))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert inner.done()


async def test_a_cancelled_caller_waits_for_its_job() -> None:
    workers = Workers(1)
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        began.set()
        assert release.wait(60)
        ended.set()

    caller = asyncio.create_task(workers.run(job))
    while not began.is_set():
        await asyncio.sleep(0)
    waiting_in_line = asyncio.create_task(workers.run(job))
    await asyncio.sleep(0)
    waiting_in_line.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting_in_line
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
    workers.close()
