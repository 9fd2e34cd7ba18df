"""Reading a release's payload from the blob store for as long as it takes: a break is waited out in place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from typing import TypeVar

import structlog

from longshore_storage.payloads import BlockingReader, PayloadReader, PayloadStore, Seeds, read_in_thread

from .moved import Moved
from .patience import PASSING, patiently

_log = structlog.get_logger(__name__)

R = TypeVar("R")


async def read_unbroken(
    payloads: PayloadStore,
    sha256: str,
    work: Callable[[BlockingReader], R],
    moved: Moved,
    *,
    seeds: Seeds | None,
    threads: Executor,
) -> R:
    """Run ``work`` in one of ``threads`` with a stored payload as its file, which cannot seek.

    While a store is away ``work`` waits in its reading, for as long as ``patiently`` does, and then goes on
    where it was. ``moved`` counts what is fetched and what ``seeds`` give.
    """
    async with payloads.open(sha256) as reader:
        moved.reader = reader
        return await read_in_thread(_pieces(reader, seeds), work, executor=threads)


async def _pieces(reader: PayloadReader, seeds: Seeds | None) -> AsyncGenerator[bytes | memoryview, None]:
    offset = 0
    while offset < reader.size_bytes:
        stream, piece = await _begin(reader, offset, seeds)
        async with aclosing(stream):
            try:
                while piece is not None:
                    offset += len(piece)
                    yield piece
                    piece = await anext(stream, None)
            except PASSING as error:
                _log.warning("payload.interrupted", offset=offset, error=str(error))


async def _begin(
    reader: PayloadReader, offset: int, seeds: Seeds | None
) -> tuple[AsyncGenerator[bytes | memoryview, None], bytes | memoryview | None]:
    """A stream from ``offset`` on and its first piece, which may take the store's return."""
    async for attempt in patiently():
        with attempt:
            stream = reader.stream(offset, seeds=seeds)
            return stream, await anext(stream)
    raise AssertionError("patience ends with an error")
