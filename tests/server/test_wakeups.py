"""Waiting for a wake-up: never longer than asked, and never over a cancellation."""

from __future__ import annotations

import asyncio

from longshore_server.wakeups import woken


async def test_it_tells_whether_the_event_came() -> None:
    event = asyncio.Event()
    assert not await woken(event, 0.01)
    assert not await woken(event, -1)
    asyncio.get_running_loop().call_soon(event.set)
    assert await woken(event, 10)
    assert await woken(event, -1)


async def test_a_cancellation_that_meets_the_event_ends_the_loop() -> None:
    event = asyncio.Event()
    rounds = 0

    async def look_again_and_again() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            event.clear()
            await woken(event, 10)

    for ticks in range(4):
        task = asyncio.create_task(look_again_and_again())
        rounds = 0
        while not rounds:
            await asyncio.sleep(0)
        event.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2)
        assert done
        assert task.cancelled()
