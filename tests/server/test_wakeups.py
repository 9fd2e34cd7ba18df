"""Wake-ups: waited for never longer than asked, never over a cancellation, and each heard once."""

from __future__ import annotations

import asyncio

from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.coordination.local import LocalCoordination, LocalHub


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


async def test_who_is_alone_hears_a_signal_once() -> None:
    wakeups = Wakeups(LocalCoordination())
    heard: list[str] = []
    async with wakeups.listening(Kind.ROLLOUTS, heard.append):
        # An echo would take the listening task's turn, the sending one's, and the listening one's again.
        await asyncio.sleep(0)
        wakeups.send(Kind.ROLLOUTS, "test/one")
        for _ in range(20):
            await asyncio.sleep(0)
        assert heard == ["test/one"]
    await wakeups.close()


async def test_others_hear_a_signal_too() -> None:
    hub = LocalHub()
    here, there = Wakeups(LocalCoordination(hub)), Wakeups(LocalCoordination(hub))
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with there.listening(Kind.ROLLOUTS, heard.put_nowait):
        await asyncio.sleep(0)
        here.send(Kind.ROLLOUTS, "test/one")
        async with asyncio.timeout(10):
            assert await heard.get() == "test/one"
    await here.close()
    await there.close()
