"""What the hooks of one activation put out, written down while they run.

Hooks never wait for the database: a task writes what has changed once a second, and at once where one
begins or ends. ``finish`` sees to it that everything is there before the activation's end is reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any, Final

import structlog

from longshore_server.hooks import OutputTail
from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue, activations, hook_outputs
from longshore_storage.catalogue.hook_outputs import HookKind
from longshore_storage.catalogue.rows import Assignment
from longshore_storage.errors import StorageError

from .patience import PASSING, patiently
from .reporting import Reports

_log = structlog.get_logger(__name__)

_SPACING_S: Final = 1.0
# Of what goes on and on only the end is told.
_TOLD_LIVE_BYTES: Final = 256 << 10
_LAST_WORDS_S: Final = 2.0
_BROKEN_OFF: Final = "was broken off"
_LOST: Final = "was broken off: the node ended meanwhile"


class HookRecord:
    """One run of a hook. Whoever runs it sets how it ended."""

    def __init__(self, hook: str, kind: HookKind, *, taking_back: bool) -> None:
        self.output = OutputTail()
        self.begun = {"hook": hook, "kind": kind, "taking_back": taking_back}
        self._end: dict[str, Any] = {"ended": False, "exit_code": None, "outcome": ""}
        self._written: dict[str, Any] = {}

    @property
    def ended(self) -> bool:
        """Whether it is told how it ended."""
        return bool(self._end["ended"])

    def end(self, outcome: str, exit_code: int | None = None) -> None:
        """Set how it ended; the first one counts."""
        if not self.ended:
            self._end = {"ended": True, "exit_code": exit_code, "outcome": outcome}

    def unwritten(self) -> dict[str, Any]:
        """The columns as they are to be; empty where nothing has changed that is to be told now."""
        if self._written and not self.ended and self.output.size_bytes > _TOLD_LIVE_BYTES:
            return {}
        line_count = self.output.line_count(whole=self.ended)
        told = (self._written.get("line_count"), self._written.get("ended"))
        if told == (line_count, self.ended):
            return {}
        return {"lines": self.output.lines(whole=self.ended), "line_count": line_count, **self._end}

    def written(self, columns: dict[str, Any]) -> None:
        """Note what the row has now."""
        self._written = columns


class HookLog:
    """The runs of one activation; opened by ``open_log``."""

    def __init__(
        self, catalogue: Catalogue, reports: Reports, assignment: Assignment, node_name: str, first: int
    ) -> None:
        self._catalogue = catalogue
        self._reports = reports
        self._assignment = assignment
        self._node_name = node_name
        self._numbers = count(first)
        self._records: dict[int, HookRecord] = {}
        self._look = asyncio.Event()
        self._writing = asyncio.Lock()

    @contextmanager
    def running(self, hook: str, kind: HookKind, *, taking_back: bool = False) -> Iterator[HookRecord]:
        """Keep the record of one run while the block runs it."""
        record = HookRecord(hook, kind, taking_back=taking_back)
        self._records[next(self._numbers)] = record
        self._look.set()
        try:
            yield record
        finally:
            record.end(_BROKEN_OFF)
            self._look.set()

    async def finish(self) -> None:
        """Write what is not written yet, waiting for a database that is away.

        One that does not take it is done without: hooks are not run again for the sake of what they said.
        """
        try:
            async for attempt in patiently():
                with attempt:
                    await self.flush()
        except PASSING:
            raise
        except Exception:
            _log.exception("hook_output.unwritten")

    async def last_words(self) -> None:
        """Write what is not written yet, if the database is there."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self.flush()
        except (StorageError, TimeoutError) as error:
            _log.warning("hook_output.unwritten", error=str(error))
        except Exception:
            _log.exception("hook_output.unwritten")

    async def keep_writing(self) -> None:
        """Write until cancelled."""
        while True:
            try:
                self._look.clear()
                await self.flush()
            except StorageError as error:
                _log.warning("hook_output.unwritten", error=str(error))
                await asyncio.sleep(_SPACING_S)
            except Exception:
                _log.exception("hook_output.unwritten")
                await asyncio.sleep(_SPACING_S)
            await woken(self._look, _SPACING_S)

    async def flush(self) -> None:
        """Write what has changed since the last time. Raises what the catalogue raises."""
        async with self._writing:
            changed = {
                number: (record, columns)
                for number, record in self._records.items()
                if (columns := record.unwritten())
            }
            if not changed:
                return
            begun = {"deployment_id": self._assignment.deployment_id, "node_name": self._node_name}
            async with self._catalogue.transaction() as transaction:
                for number, (record, columns) in changed.items():
                    await hook_outputs.write(
                        transaction,
                        activations.place_of(self._assignment),
                        number,
                        begun={**begun, **record.begun},
                        **columns,
                    )
            for record, columns in changed.values():
                record.written(columns)
        self._reports.wake(self._assignment)


@asynccontextmanager
async def open_log(
    catalogue: Catalogue, reports: Reports, assignment: Assignment, node_name: str
) -> AsyncIterator[HookLog]:
    """Open the log of an activation, going on behind what an earlier try of it has run."""
    async with catalogue.transaction() as transaction:
        place = activations.place_of(assignment)
        first = await hook_outputs.next_number(transaction, place, broken_off=_LOST)
    log = HookLog(catalogue, reports, assignment, node_name, first)
    writer = asyncio.create_task(log.keep_writing())
    try:
        yield log
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        await log.last_words()
