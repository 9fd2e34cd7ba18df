"""Signals on their way to one listener: coalesced, bounded, never blocking who sends."""

from __future__ import annotations

import asyncio

MISSED = ""
"""Stands for every ident at once: signals may have been missed."""

_MAX_PENDING = 10_000


class SignalInbox:
    """The idents that a listener has not read yet, each at most once, in the order they first came.

    When more than 10,000 wait, or when ``MISSED`` is put, the single ``MISSED`` stands for all of them:
    it is read later than whatever it covers.
    """

    def __init__(self) -> None:
        self._pending: dict[str, None] = {}
        self._filled = asyncio.Event()
        self._closed = False

    def put(self, ident: str) -> None:
        """Add ``ident`` (or ``MISSED``) unless it waits already."""
        if MISSED in self._pending:
            return
        if ident == MISSED or len(self._pending) >= _MAX_PENDING:
            self._pending = {MISSED: None}
        else:
            self._pending[ident] = None
        self._filled.set()

    def close(self) -> None:
        """End the iteration: nobody fills this inbox any more."""
        self._closed = True
        self._filled.set()

    def __aiter__(self) -> SignalInbox:
        return self

    async def __anext__(self) -> str:
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            self._filled.clear()
            await self._filled.wait()
        ident = next(iter(self._pending))
        del self._pending[ident]
        return ident
