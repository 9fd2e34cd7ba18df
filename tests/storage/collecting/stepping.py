"""Two tasks on PostgreSQL, stepped through their statements in every order.

Every statement of a stepped task that meets the filter, and every commit, waits at a gate. One step opens one
gate and ends when the task stands at its next one, has ended, or waits for a lock that the other task holds,
which PostgreSQL tells. All orders are gone through, each with a world of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from longshore_storage.catalogue import Catalogue, Transaction

_stepped: ContextVar[SteppedTask | None] = ContextVar("stepped", default=None)
Filter = Callable[[str], bool]


@dataclass
class SteppedTask:
    """One of the two, with the gate that it waits at."""

    gated: Filter
    backend_pid: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    passed: list[str] = field(default_factory=list)
    task: asyncio.Task[Any] | None = None

    async def gate(self, name: str) -> None:
        self.waiting.set()
        await self.opened.wait()
        self.opened.clear()
        self.passed.append(name)

    @property
    def done(self) -> bool:
        assert self.task is not None
        return self.task.done()

    @property
    def at_gate(self) -> bool:
        return self.waiting.is_set()


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a gate before every statement and commit of stepped tasks."""
    execute, commit = Transaction.execute, Catalogue._commit

    async def gated_execute(transaction: Transaction, statement: Any, parameters: Any = None) -> Any:
        stepped = _stepped.get()
        if stepped is not None:
            connection = await transaction._connection.get_raw_connection()
            stepped.backend_pid = connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            sql = " ".join(str(statement).split())
            if stepped.gated(sql):
                await stepped.gate(sql)
        return await execute(transaction, statement, parameters)

    async def gated_commit(catalogue: Catalogue, connection: Any) -> None:
        stepped = _stepped.get()
        if stepped is not None:
            await stepped.gate("COMMIT")
        await commit(catalogue, connection)

    monkeypatch.setattr(Transaction, "execute", gated_execute)
    monkeypatch.setattr(Catalogue, "_commit", gated_commit)


def about(*tables: str) -> Filter:
    """Gates at statements on these tables only; what the others do is no matter of the race."""
    beginnings = [
        f"{verb} {table}" for table in tables for verb in ("FROM", "INSERT INTO", "UPDATE", "DELETE FROM")
    ]
    return lambda sql: any(f"{beginning} " in f"{sql} " for beginning in beginnings)


Work = Callable[[], Coroutine[Any, Any, Any]]


async def in_every_order(
    catalogue: Catalogue,
    scene: Callable[[], Awaitable[Scene]],
) -> int:
    """Play the scene in every order of its two tasks' steps; tells in how many."""
    orders = 0
    schedule: list[int] | None = []
    while schedule is not None:
        taken, choices = await _play(catalogue, await scene(), schedule)
        orders += 1
        schedule = _next_schedule(taken, choices)
    return orders


@dataclass
class Scene:
    """What two tasks do to a world, and what must hold afterwards, told their results (or errors)."""

    first: Work
    second: Work
    check: Callable[[Any, Any], Awaitable[None]]
    gated: Filter = lambda sql: "clock_timestamp()" not in sql


async def _play(
    catalogue: Catalogue, scene: Scene, schedule: Sequence[int]
) -> tuple[list[int], list[list[int]]]:
    """Play one order: as ``schedule`` begins, then the first task in front. The choices made and left."""
    taken: list[int] = []
    choices: list[list[int]] = []
    async with _started(scene) as tasks, catalogue.reading() as watcher:
        for task in tasks:
            await _until_settled(task, watcher)
        while not all(task.done for task in tasks):
            able = [number for number, task in enumerate(tasks) if task.at_gate]
            assert able, "both wait for a lock: they would wait for ever"
            wanted = schedule[len(taken)] if len(taken) < len(schedule) else able[0]
            chosen = wanted if wanted in able else able[0]
            taken.append(chosen)
            choices.append(able)
            tasks[chosen].waiting.clear()
            tasks[chosen].opened.set()
            for task in (tasks[chosen], tasks[1 - chosen]):
                await _until_settled(task, watcher)
        results = [_result_of(task) for task in tasks]
    try:
        await scene.check(*results)
    except AssertionError as error:
        error.add_note("in this order: " + ", ".join(str(number) for number in taken))
        for number, task in enumerate(tasks):
            error.add_note(f"{number}: " + "; ".join(sql[:60] for sql in task.passed))
        raise
    return taken, choices


@asynccontextmanager
async def _started(scene: Scene) -> AsyncIterator[list[SteppedTask]]:
    tasks = [SteppedTask(scene.gated), SteppedTask(scene.gated)]

    async def stepped(task: SteppedTask, work: Work) -> Any:
        _stepped.set(task)
        return await work()

    for task, work in zip(tasks, (scene.first, scene.second), strict=True):
        task.task = asyncio.create_task(stepped(task, work))
    try:
        yield tasks
    finally:
        for task in tasks:
            assert task.task is not None
            task.task.cancel()
        await asyncio.gather(*(task.task for task in tasks if task.task), return_exceptions=True)


async def _until_settled(task: SteppedTask, watcher: Transaction) -> None:
    """Wait until a task stands at a gate, has ended, or is held up by the other's lock."""
    while not (task.at_gate or task.done):
        await asyncio.sleep(0)
        if task.backend_pid:
            held_up = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0").bindparams(pid=task.backend_pid)
            if (await watcher.execute(held_up)).scalar():
                return


def _result_of(task: SteppedTask) -> Any:
    assert task.task is not None
    return task.task.exception() or task.task.result()


def _next_schedule(taken: list[int], choices: list[list[int]]) -> list[int] | None:
    """The next order, depth first; None after the last."""
    for place in range(len(taken) - 1, -1, -1):
        later = [choice for choice in choices[place] if choice > taken[place]]
        if later:
            return [*taken[:place], later[0]]
    return None
