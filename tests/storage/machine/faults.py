"""What befalls a step: at its n-th call of a store the process dies, the call fails, or its caller is gone.

A process that died does nothing any more: whatever of it still runs meets ``Died`` at its next call, so that
no clean-up of ours changes what a real death would have left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from .telling import Told, ToldEnum

T = TypeVar("T")


class Died(BaseException):
    """The process is gone. No ``Exception``: nobody may handle it."""


class Call(ToldEnum):
    """What a process asks of the stores."""

    SQL = "a statement"
    COMMIT = "a commit"
    PUT = "a put"
    GET = "a get"
    STAT = "a stat"
    LIST = "a listing"
    DELETE = "a delete"


class Way(ToldEnum):
    """What happens at that call."""

    DIES_BEFORE = "dies before it"
    DIES_AFTER = "dies when it took effect"
    DIES_AND_IT_LANDS_LATER = "dies, and the store does it some time later"
    CANCELLED = "is cancelled during it"
    FAILS_BEFORE = "is told that the store is away, which did nothing"
    FAILS_AFTER = "is told that the store is away, which did it"
    GARBLED = "gets other bytes than are stored, once"


@dataclass(frozen=True, repr=False)
class Fault(Told):
    """``way`` befalls a step at its ``nth`` call of the kind, or at its ``nth`` call at all."""

    way: Way
    nth: int
    call: Call | None = None


@dataclass
class Attempt:
    """One step of one process, with what befalls it."""

    fault: Fault | None
    task: asyncio.Task[object] | None = None
    calls: int = 0
    struck: bool = False

    def way_of(self, call: Call) -> Way | None:
        """What happens at this call."""
        if self.fault is None or self.fault.call not in (None, call):
            return None
        self.calls += 1
        if self.calls != self.fault.nth:
            return None
        self.struck = True
        return self.fault.way


attempting: ContextVar[Attempt | None] = ContextVar("attempting", default=None)


class Life:
    """Whether a process lives; all of its calls go through here."""

    def __init__(self) -> None:
        self.is_over = False

    def end(self) -> None:
        """Die now. Raises ``Died``."""
        self.is_over = True
        raise Died

    def check(self) -> None:
        """Raise ``Died`` in whatever is left of a dead process."""
        if self.is_over:
            raise Died

    async def call(
        self,
        call: Call,
        work: Callable[[], Awaitable[T]],
        *,
        away: Exception,
        later: Callable[[], None] = lambda: None,
        garbled: Callable[[T], T] = lambda result: result,
    ) -> T:
        """Do ``work``, or what befalls it. ``away`` is the error of a store that cannot be reached."""
        self.check()
        attempt = attempting.get()
        way = attempt.way_of(call) if attempt is not None else None
        match way:
            case Way.DIES_BEFORE:
                self.end()
            case Way.DIES_AND_IT_LANDS_LATER:
                later()
                self.end()
            case Way.FAILS_BEFORE:
                raise away
            case Way.CANCELLED:
                assert attempt is not None
                assert attempt.task is not None
                attempt.task.cancel()
        result = await work()
        match way:
            case Way.DIES_AFTER:
                self.end()
            case Way.FAILS_AFTER:
                raise away
            case Way.GARBLED:
                result = garbled(result)
        self.check()
        return result
