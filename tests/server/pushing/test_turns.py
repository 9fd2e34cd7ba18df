"""Of a hook's pushes one is deployed at a time, and only the last waits for that."""

from __future__ import annotations

import asyncio

from longshore_server.pushing.turns import LastTurn


class Pushes:
    """Pushes that hold their turn until they are let go, and what became of each."""

    def __init__(self) -> None:
        self.turns = LastTurn()
        self.begun: list[int] = []
        self.overtaken: list[int] = []
        self._done: dict[int, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, number: int) -> None:
        self._done[number] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._hold(number)))
        await settled()

    async def let_go(self, number: int) -> None:
        self._done[number].set()
        await settled()

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks)

    async def _hold(self, number: int) -> None:
        async with self.turns.of(number) as has_come:
            (self.begun if has_come else self.overtaken).append(number)
            if has_come:
                await self._done[number].wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_last_one_waits_and_those_between_are_overtaken_at_once() -> None:
    pushes = Pushes()
    for number in (1, 2, 3, 4):
        await pushes.come(number)
    assert (pushes.begun, pushes.overtaken) == ([1], [2, 3])
    await pushes.let_go(1)
    assert pushes.begun == [1, 4]
    await pushes.let_go(4)
    await pushes.come(5)
    assert pushes.begun == [1, 4, 5]
    await pushes.let_go(5)
    await pushes.ended()
    assert pushes.overtaken == [2, 3]


async def test_one_that_came_before_and_was_looked_at_later_displaces_none() -> None:
    pushes = Pushes()
    for number in (1, 3, 2):
        await pushes.come(number)
    assert (pushes.begun, pushes.overtaken) == ([1], [2])
    await pushes.let_go(1)
    assert pushes.begun == [1, 3]
    await pushes.let_go(3)
    await pushes.ended()


async def test_one_that_is_broken_off_leaves_its_turn() -> None:
    turns = LastTurn()
    begun = asyncio.Event()

    async def hold() -> None:
        async with turns.of(1):
            begun.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await begun.wait()
    holding.cancel()
    async with asyncio.timeout(5), turns.of(2) as has_come:
        assert has_come
