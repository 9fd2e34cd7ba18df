"""Cancelling a task that awaits a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from longshore_storage.coordination.etcd_calls import outcome
from longshore_storage.coordination.etcd_errors import StreamEnded


async def answers() -> str:
    return "answer"


async def fails() -> str:
    raise StreamEnded("over")


async def ends_with(end: Callable[[], Awaitable[str]]) -> str:
    """As ``grpc.aio`` does when a call ends at the moment it is cancelled."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return await end()
    raise AssertionError


@pytest.mark.parametrize("end", [answers, fails])
async def test_a_swallowed_cancellation_is_raised(end: Callable[[], Awaitable[str]]) -> None:
    task = asyncio.create_task(outcome(ends_with(end)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("end", [answers, fails])
async def test_a_swallowed_timeout_is_raised(end: Callable[[], Awaitable[str]]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await outcome(ends_with(end))


async def test_an_undisturbed_call_keeps_its_end() -> None:
    assert await outcome(answers()) == "answer"
    with pytest.raises(StreamEnded, match="over"):
        await outcome(fails())


async def test_a_cancellation_that_nobody_asked_for_is_a_fault() -> None:
    async def closes() -> str:
        raise asyncio.CancelledError

    with pytest.raises(StreamEnded, match="channel was closed"):
        await outcome(closes())


async def test_cleaning_up_while_cancelled_may_call() -> None:
    heard: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            heard.append(await outcome(answers()))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == ["answer"]
