"""From windows of chunks to messages: bytes for what is missing and references for the rest, or all bytes.

Asking and compressing run ahead of sending; the payload's order is kept. Memory: at most ``_AHEAD`` windows
being prepared, one being read and one being sent, 80 MiB of payload and the frames made of it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from longshore.v1 import deployment_service_pb2
from longshore_chunks.codec import Codec, encode

from .windows import Chunk, Window

MESSAGE_BYTES: Final = 1024 * 1024
_MESSAGE_CHUNKS: Final = 4_096
_BATCH_CHUNKS: Final = 32
_AHEAD: Final = 3
_MOST_COMPRESSORS: Final = 4


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an upload, and how many bytes of the payload it stands for.

    ``sent_bytes`` counts what goes over the wire for them, ``reused_bytes`` what is only referred to.
    """

    request: deployment_service_pb2.DeployRequest
    payload_bytes: int
    sent_bytes: int
    reused_bytes: int


class FindMissing(Protocol):
    """Asks the server which of some chunks it lacks."""

    async def __call__(self, digests: Sequence[bytes], /) -> Sequence[int]:
        """Positions in ``digests`` of those that must be sent."""
        ...


async def thrifty_messages(
    windows: AsyncGenerator[Window, None], find_missing: FindMissing, *, references: bool
) -> AsyncGenerator[Message, None]:
    """The messages of ``windows``; without ``references`` every chunk goes with its bytes."""
    compressors = ThreadPoolExecutor(
        min(_MOST_COMPRESSORS, os.cpu_count() or 1), thread_name_prefix="longshore-zstd"
    )

    async def prepare(window: Window) -> list[Message]:
        digests = [chunk.digest for chunk in window.chunks]
        missing = set(await find_missing(digests) if references else range(len(digests)))
        return await _encoded(window, missing, compressors)

    preparing: deque[asyncio.Task[list[Message]]] = deque()
    reading: asyncio.Task[Window | None] | None = None
    try:
        reading = asyncio.create_task(_next(windows))
        while (window := await reading) is not None:
            reading = asyncio.create_task(_next(windows))
            preparing.append(asyncio.create_task(prepare(window)))
            del window
            if len(preparing) >= _AHEAD:
                for message in await preparing.popleft():
                    yield message
        while preparing:
            for message in await preparing.popleft():
                yield message
    finally:
        tasks = [*preparing, *([reading] if reading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await windows.aclose()
        compressors.shutdown(cancel_futures=True)


async def plain_messages(windows: AsyncGenerator[Window, None]) -> AsyncGenerator[Message, None]:
    """The messages of the plain way: the payload's bytes as they are."""
    async with aclosing(windows):
        async for window in windows:
            data = memoryview(b"".join(chunk.raw for chunk in window.chunks))
            for begin in range(0, len(data), MESSAGE_BYTES):
                part = bytes(data[begin : begin + MESSAGE_BYTES])
                request = deployment_service_pb2.DeployRequest(
                    data=deployment_service_pb2.PayloadData(offset=window.offset + begin, data=part)
                )
                yield Message(request, len(part), len(part), 0)


def end_message(size_bytes: int, sha256: str) -> deployment_service_pb2.DeployRequest:
    """What ends the payload, and lets the server compare all of it."""
    return deployment_service_pb2.DeployRequest(
        end=deployment_service_pb2.PayloadEnd(payload_size_bytes=size_bytes, payload_sha256=sha256)
    )


async def _next(windows: AsyncIterator[Window]) -> Window | None:
    return await anext(windows, None)


async def _encoded(window: Window, missing: set[int], compressors: ThreadPoolExecutor) -> list[Message]:
    """The messages of one window; its chunks are compressed in threads, some at a time."""
    loop = asyncio.get_running_loop()
    chunks = window.chunks
    batches = await asyncio.gather(
        *(
            loop.run_in_executor(compressors, _entries, chunks[first : first + _BATCH_CHUNKS], first, missing)
            for first in range(0, len(chunks), _BATCH_CHUNKS)
        )
    )
    messages: list[Message] = []
    offset = window.offset
    for part in _parts(list(itertools.chain.from_iterable(batches))):
        request = deployment_service_pb2.DeployRequest(
            chunks=deployment_service_pb2.PayloadChunks(offset=offset, chunks=[each.entry for each in part])
        )
        payload_bytes = sum(each.entry.raw_size_bytes for each in part)
        reused_bytes = sum(each.entry.raw_size_bytes for each in part if not each.sent_bytes)
        messages.append(Message(request, payload_bytes, sum(each.sent_bytes for each in part), reused_bytes))
        offset += payload_bytes
    return messages


class _Entry(NamedTuple):
    """A chunk as it is sent; no ``sent_bytes`` for a reference."""

    entry: deployment_service_pb2.PayloadChunk
    sent_bytes: int


def _entries(chunks: Sequence[Chunk], first: int, missing: set[int]) -> list[_Entry]:
    """The entries of ``chunks``, the first of which is number ``first`` of its window."""
    entries: list[_Entry] = []
    for index, chunk in enumerate(chunks, first):
        entry = deployment_service_pb2.PayloadChunk(digest=chunk.digest, raw_size_bytes=len(chunk.raw))
        sent_bytes = 0
        if index in missing:
            codec, body = encode(chunk.raw)
            sent_bytes = len(body)
            if codec is Codec.ZSTD:
                entry.zstd_frame = body
            else:
                entry.raw = body
        entries.append(_Entry(entry, sent_bytes))
    return entries


def _parts(entries: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    """Cut a window's entries into what goes into a message each."""
    begin = size = 0
    for index, entry in enumerate(entries):
        if index > begin and (size + entry.sent_bytes > MESSAGE_BYTES or index - begin == _MESSAGE_CHUNKS):
            yield entries[begin:index]
            begin, size = index, 0
        size += entry.sent_bytes
    if begin < len(entries):
        yield entries[begin:]
