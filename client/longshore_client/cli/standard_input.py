"""Standard input as pieces of bytes, given up at once when nobody wants more."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Final

from longshore_client.event_thread import each_in_thread

_READ_BYTES: Final = 1024 * 1024


async def standard_input() -> AsyncIterator[bytes]:
    """All of standard input.

    A pipe or a terminal is waited for, and never read in vain: a read in a thread could not be ended.
    """
    descriptor = sys.stdin.fileno()
    while await _is_readable(descriptor):
        piece = os.read(descriptor, _READ_BYTES)
        if not piece:
            return
        yield piece
    async for piece in each_in_thread(iter(lambda: os.read(descriptor, _READ_BYTES), b"")):
        yield piece


async def _is_readable(descriptor: int) -> bool:
    """Wait until there is something to read, or the end; False for a file, which nothing can wait for."""
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:
        return False
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    return True
