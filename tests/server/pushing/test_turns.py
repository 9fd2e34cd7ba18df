"""Of a hook's pushes one is deployed at a time, and only the last waits for that."""

from __future__ import annotations

import asyncio

from longshore_server.pushing.turns import LastTurn


class Pushes:
    """Pushes that hold their turn until they are let go, and what became of each."""

    def __init__(self) -> None:
        self.turns = LastTurn()
        self.begun: list[str] = []
        self.overtaken: list[str] = []
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, ident: str) -> None:
        self._done[ident] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._hold(ident)))
        await settled()

    async def let_go(self, ident: str) -> None:
        self._done[ident].set()
        await settled()

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks)

    async def _hold(self, ident: str) -> None:
        async with self.turns.of(ident) as has_come:
            (self.begun if has_come else self.overtaken).append(ident)
            if has_come:
                await self._done[ident].wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_last_one_waits_and_those_between_are_overtaken_at_once() -> None:
    pushes = Pushes()
    for ident in ("a", "b", "c", "d"):
        await pushes.come(ident)
    assert (pushes.begun, pushes.overtaken) == (["a"], ["b", "c"])
    await pushes.let_go("a")
    assert pushes.begun == ["a", "d"]
    await pushes.let_go("d")
    await pushes.come("e")
    assert pushes.begun == ["a", "d", "e"]
    await pushes.let_go("e")
    await pushes.ended()
    assert pushes.overtaken == ["b", "c"]


async def test_one_that_is_broken_off_leaves_its_turn() -> None:
    turns = LastTurn()
    begun = asyncio.Event()

    async def hold() -> None:
        async with turns.of("a"):
            begun.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await begun.wait()
    holding.cancel()
    async with asyncio.timeout(5), turns.of("b") as has_come:
        assert has_come
