"""From what was read to messages: bytes for what is missing and references for the rest, or all bytes.

Reading, asking and compressing run ahead of sending; the payload's order is kept. Memory: at most ``_AHEAD``
windows being prepared, one being read and one being sent, 80 MiB of payload and the frames made of it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeVar

from longshore.v1 import deployment_service_pb2
from longshore_chunks.codec import THOROUGH_ZSTD_LEVEL, ZSTD_LEVEL, Codec, encode_run

from .pieces import Piece
from .windows import Chunk, Window

MESSAGE_BYTES: Final = 1024 * 1024
_MESSAGE_CHUNKS: Final = 4_096
_BATCH_CHUNKS: Final = 32
_AHEAD: Final = 3
_MOST_COMPRESSORS: Final = 4
_LITTLE_SHARE: Final = 1 / 8
"""Where no more of a window is missing, compressing it thoroughly takes no longer than reading the window."""

_Item = TypeVar("_Item")


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
    try:
        async with aclosing(_one_ahead(windows)) as read:
            async for window in read:
                preparing.append(asyncio.create_task(prepare(window)))
                del window
                if len(preparing) >= _AHEAD:
                    for message in await preparing.popleft():
                        yield message
            while preparing:
                for message in await preparing.popleft():
                    yield message
    finally:
        for task in preparing:
            task.cancel()
        await asyncio.gather(*preparing, return_exceptions=True)
        compressors.shutdown(cancel_futures=True)


async def plain_messages(pieces: AsyncGenerator[list[Piece], None]) -> AsyncGenerator[Message, None]:
    """The messages of the plain way: the payload's bytes as they are."""
    async with aclosing(_one_ahead(pieces)) as groups:
        async for group in groups:
            for offset, data in group:
                request = deployment_service_pb2.DeployRequest(
                    data=deployment_service_pb2.PayloadData(offset=offset, data=data)
                )
                yield Message(request, len(data), len(data), 0)


def end_message(size_bytes: int, sha256: str) -> deployment_service_pb2.DeployRequest:
    """What ends the payload, and lets the server compare all of it; an empty ``sha256`` is not compared."""
    return deployment_service_pb2.DeployRequest(
        end=deployment_service_pb2.PayloadEnd(payload_size_bytes=size_bytes, payload_sha256=sha256)
    )


async def _one_ahead(items: AsyncGenerator[_Item, None]) -> AsyncGenerator[_Item, None]:
    """The same items, the next of which is being read while one is used."""
    reading = asyncio.create_task(_next(items))
    try:
        while (item := await reading) is not None:
            reading = asyncio.create_task(_next(items))
            yield item
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await items.aclose()


async def _next(items: AsyncGenerator[_Item, None]) -> _Item | None:
    return await anext(items, None)


async def _encoded(window: Window, missing: set[int], compressors: ThreadPoolExecutor) -> list[Message]:
    """The messages of one window; its chunks are compressed in threads, some at a time."""
    loop = asyncio.get_running_loop()
    chunks = window.chunks
    missing_bytes = sum(len(chunks[index].raw) for index in missing)
    level = THOROUGH_ZSTD_LEVEL if missing_bytes <= window.size_bytes * _LITTLE_SHARE else ZSTD_LEVEL
    batches = await asyncio.gather(
        *(
            loop.run_in_executor(
                compressors, _entries, chunks[first : first + _BATCH_CHUNKS], first, missing, level
            )
            for first in range(0, len(chunks), _BATCH_CHUNKS)
        )
    )
    messages: list[Message] = []
    offset = window.offset
    for part in _parts(list(itertools.chain.from_iterable(batches))):
        message = _message(offset, part)
        messages.append(message)
        offset += message.payload_bytes
    return messages


class _Entry(NamedTuple):
    """A chunk as it is sent; no ``body`` for a reference."""

    digest: bytes
    raw_size: int
    codec: Codec
    body: bytes


def _entries(chunks: Sequence[Chunk], first: int, missing: set[int], level: int) -> list[_Entry]:
    """The entries of ``chunks``, the first of which is number ``first`` of its window."""
    bodies = encode_run((chunk.raw for index, chunk in enumerate(chunks, first) if index in missing), level)
    return [
        _Entry(chunk.digest, len(chunk.raw), *(next(bodies) if index in missing else (Codec.RAW, b"")))
        for index, chunk in enumerate(chunks, first)
    ]


def _message(offset: int, entries: Sequence[_Entry]) -> Message:
    request = deployment_service_pb2.DeployRequest()
    request.chunks.offset = offset
    payload_bytes = sent_bytes = reused_bytes = 0
    for digest, raw_size, codec, body in entries:
        # Made in their place: a message that is put into another is copied.
        chunk = request.chunks.chunks.add(digest=digest, raw_size_bytes=raw_size)
        payload_bytes += raw_size
        sent_bytes += len(body)
        if not body:
            reused_bytes += raw_size
        elif codec is Codec.ZSTD:
            chunk.zstd_frame = body
        else:
            chunk.raw = body
    return Message(request, payload_bytes, sent_bytes, reused_bytes)


def _parts(entries: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    """Cut a window's entries into what goes into a message each."""
    begin = size = 0
    for index, entry in enumerate(entries):
        if index > begin and (size + len(entry.body) > MESSAGE_BYTES or index - begin == _MESSAGE_CHUNKS):
            yield entries[begin:index]
            begin, size = index, 0
        size += len(entry.body)
    if begin < len(entries):
        yield entries[begin:]
