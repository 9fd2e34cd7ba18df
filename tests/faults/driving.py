"""Ends or stops a node that drives a rollout, just before one of its writes.

Counted are the transactions of a driver that write something: taking over (which writes nothing where nothing
rolls out, and counts all the same), and every step that moves a rollout. A schedule is one of

``kill-write-3``  SIGKILL when the third of them is about to be committed
``stop-write-3``  SIGSTOP there: the transaction stays open, and keeps its locks
``stop-step-2``   SIGSTOP before the first step behind the second of them, which nobody can call back then: it
                  is made when the node goes on, whatever became of its lock, as if it had been sent before

A node that halts tells ``driver halts`` on its stderr first, and of a step that nobody could call back what
became of it: ``late step: refused`` where it met another owner, or what else.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import SelectBase, TextClause

from longshore_server.rollout.step import Progress, RolloutStep
from longshore_server.unbroken import to_the_end
from longshore_storage.catalogue import Catalogue, Transaction
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.prepared import Prepared
from longshore_storage.errors import StorageError

HALTS: Final = "driver halts"
LATE_STEP: Final = "late step: "
REFUSED: Final = "refused"

_drives: ContextVar[bool] = ContextVar("drives", default=False)


def install(schedule: str) -> None:
    """Arm this process, which is about to become a node."""
    way, place, number = schedule.split("-")
    halt = _Halt(signal.SIGKILL if way == "kill" else signal.SIGSTOP, place, int(number))
    _watch_writes(halt)
    for name in ("take_over", "take"):
        _watch_steps(halt, name)


class _Halt:
    def __init__(self, way: signal.Signals, place: str, number: int) -> None:
        self._way = way
        self._place = place
        self._number = number
        self._written = 0

    def before_commit(self) -> None:
        """Halt here, if this is the place."""
        self._written += 1
        if self._place == "write" and self._written == self._number:
            self._halt()

    def before_step(self) -> bool:
        """The same; whether it was, and the step is not to be called back."""
        if self._place != "step" or self._written < self._number:
            return False
        self._place = ""
        self._halt()
        return True

    def _halt(self) -> None:
        _say(HALTS)
        os.kill(os.getpid(), self._way)


def _watch_writes(halt: _Halt) -> None:
    wrote: WeakSet[Transaction] = WeakSet()
    execute: Callable[..., Any] = Transaction.execute
    transaction = Catalogue.transaction

    async def executing(opened: Transaction, statement: Any, parameters: Any = None) -> Any:
        reads = statement.reads if isinstance(statement, Prepared) else isinstance(statement, SelectBase)
        if not reads and not isinstance(statement, TextClause):
            wrote.add(opened)
        return await execute(opened, statement, parameters)

    @asynccontextmanager
    async def watched(catalogue: Catalogue) -> AsyncIterator[Transaction]:
        async with transaction(catalogue) as opened:
            yield opened
            if _drives.get() and opened in wrote:
                halt.before_commit()

    setattr(Transaction, "execute", executing)  # noqa: B010
    setattr(Catalogue, "transaction", watched)  # noqa: B010


def _watch_steps(halt: _Halt, name: str) -> None:
    original: Callable[[RolloutStep], Awaitable[Any]] = getattr(RolloutStep, name)

    async def step(driver: RolloutStep) -> Any:
        if name == "take" and halt.before_step():
            return await to_the_end(_late(original(driver)))
        token = _drives.set(True)
        try:
            return await original(driver)
        finally:
            _drives.reset(token)

    setattr(RolloutStep, name, step)


async def _late(step: Awaitable[Progress]) -> Progress:
    try:
        progress = await step
    except StatusMoved as error:
        _say(f"{LATE_STEP}{REFUSED}: {error}")
        raise
    except StorageError as error:
        _say(f"{LATE_STEP}failed: {error}")
        raise
    _say(f"{LATE_STEP}{progress.name}")
    return progress


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
