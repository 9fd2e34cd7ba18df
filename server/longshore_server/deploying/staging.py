"""Scratch on this node's disk for examining payloads: bounded for all uploads together, told beforehand.

Whoever needs some says how much before it begins, holds no other while it waits, and is let in in order;
so that no ring of waiting can form, and what needs much is not overtaken for ever.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path

from longshore_server.refusal import Reason, Refusal
from longshore_server.unbroken import in_executor

# Left for the database and for what is made live, which may be on the same disk.
_SPARE_BYTES = 64 << 20
_DISK_FULL_RETRY_S = 30.0


class Staging:
    """Hands out folders below ``folder``, for at most ``limit_bytes`` together."""

    def __init__(self, folder: Path, limit_bytes: int, threads: Executor) -> None:
        self.limit_bytes = limit_bytes
        self.folder = folder
        self._threads = threads
        self._free_bytes = limit_bytes
        self._queue: deque[tuple[int, asyncio.Event]] = deque()

    def check(self, size_bytes: int) -> None:
        """Raise ``Refusal`` for what is too large even when nobody else needs anything."""
        if size_bytes > self.limit_bytes:
            raise self.too_large()

    def too_large(self) -> Refusal:
        """The refusal for what needs more than all of the staging."""
        return Refusal(
            Reason.STAGING_EXCEEDED,
            f"to examine this payload takes more scratch on the node's disk than the {self.limit_bytes} "
            "bytes that all uploads together may have (`uploads.staging_bytes`): send it as a tar in "
            "canonical order, which takes none, or raise the setting",
        )

    @asynccontextmanager
    async def room(self, size_bytes: int) -> AsyncIterator[Path]:
        """An empty folder in which so much may be written; waits until others have left enough.

        Raises ``Refusal`` for what is too large, or more than the disk has.
        """
        self.check(size_bytes)
        await self._reserve(size_bytes)
        try:
            self._check_disk(size_bytes)
            folder = Path(tempfile.mkdtemp(prefix="scan-", dir=self.folder))
            try:
                yield folder
            finally:
                await in_executor(self._threads, shutil.rmtree, folder, ignore_errors=True)
        finally:
            self._free_bytes += size_bytes
            self._let_in()

    async def _reserve(self, size_bytes: int) -> None:
        turn = asyncio.Event()
        place = (size_bytes, turn)
        self._queue.append(place)
        self._let_in()
        try:
            await turn.wait()
        except asyncio.CancelledError:
            if turn.is_set():
                self._free_bytes += size_bytes
            else:
                self._queue.remove(place)
            self._let_in()
            raise

    def _let_in(self) -> None:
        while self._queue and self._queue[0][0] <= self._free_bytes:
            size_bytes, turn = self._queue.popleft()
            self._free_bytes -= size_bytes
            turn.set()

    def _check_disk(self, size_bytes: int) -> None:
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes < size_bytes + _SPARE_BYTES:
            raise Refusal(
                Reason.STORAGE_FULL,
                f"to examine this payload takes {size_bytes} bytes of scratch on the node's disk, which has "
                f"{free_bytes} left: make room there, then call again with the same deployment_id",
                retry_after_s=_DISK_FULL_RETRY_S,
            )
