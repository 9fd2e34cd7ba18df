"""The block that ends when what it holds is lost."""

from __future__ import annotations

import asyncio

import pytest

from longshore_storage.coordination.held import HeldBlock
from longshore_storage.errors import LockLost


def current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.fixture
async def block() -> HeldBlock:
    return HeldBlock("l")


async def assert_nothing_pending() -> None:
    assert current_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_undisturbed(block: HeldBlock) -> None:
    async with block:
        await asyncio.sleep(0)
    block.lose()
    await assert_nothing_pending()


async def test_lost_while_waiting(block: HeldBlock) -> None:
    asyncio.get_running_loop().call_soon(block.lose)
    with pytest.raises(LockLost) as raised:
        async with block:
            await asyncio.Event().wait()
    assert isinstance(raised.value.__cause__, asyncio.CancelledError)
    await assert_nothing_pending()


async def test_lost_before_the_block_ends_without_waiting(block: HeldBlock) -> None:
    with pytest.raises(LockLost):
        async with block:
            block.lose()
            block.lose()
    await assert_nothing_pending()


async def test_lost_before_it_is_entered(block: HeldBlock) -> None:
    block.lose()
    with pytest.raises(LockLost):
        async with block:
            pytest.fail("entered")
    await assert_nothing_pending()


async def test_another_error_in_the_block_is_kept(block: HeldBlock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with block:
            block.lose()
            raise ZeroDivisionError
    await assert_nothing_pending()


async def test_an_error_of_cleaning_up_is_kept(block: HeldBlock) -> None:
    asyncio.get_running_loop().call_soon(block.lose)
    with pytest.raises(ZeroDivisionError):
        async with block:
            try:
                await asyncio.Event().wait()
            finally:
                raise ZeroDivisionError
    await assert_nothing_pending()


@pytest.mark.parametrize("outer_first", [True, False])
async def test_a_cancellation_from_outside_wins(outer_first: bool) -> None:
    block = HeldBlock("l")
    entered = asyncio.Event()

    async def work() -> None:
        async with block:
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    for end in (task.cancel, block.lose) if outer_first else (block.lose, task.cancel):
        end()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_around_it_wins(block: HeldBlock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0) as limit, block:
            limit.reschedule(asyncio.get_running_loop().time())
            asyncio.get_running_loop().call_soon(block.lose)
            await asyncio.Event().wait()
    await assert_nothing_pending()


async def test_a_timeout_inside_is_its_own(block: HeldBlock) -> None:
    async with block:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
    await assert_nothing_pending()


async def test_a_task_group_inside_is_cancelled(block: HeldBlock) -> None:
    asyncio.get_running_loop().call_later(0.01, block.lose)
    with pytest.raises(LockLost):
        async with block, asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.Event().wait())
    assert child.cancelled()
    await assert_nothing_pending()


async def test_blocks_nest() -> None:
    outer, inner = HeldBlock("outer"), HeldBlock("inner")
    asyncio.get_running_loop().call_soon(outer.lose)
    with pytest.raises(LockLost, match="outer"):
        async with outer, inner:
            await asyncio.Event().wait()
    await assert_nothing_pending()
