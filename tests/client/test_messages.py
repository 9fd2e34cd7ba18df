"""Messages of an upload: the payload in order, bytes for what is missing, references for the rest."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_chunks.codec import Codec, decode
from longshore_chunks.digest import chunk_digest
from longshore_client.errors import Unavailable
from longshore_client.messages import MESSAGE_BYTES, Message, plain_messages, thrifty_messages
from longshore_client.pieces import Piece
from longshore_client.windows import Chunk, Window


async def _source(windows: Sequence[Window]) -> AsyncGenerator[Window, None]:
    for window in windows:
        yield window


def _cut(contents: Sequence[Sequence[bytes]]) -> list[Window]:
    windows: list[Window] = []
    offset = 0
    for chunks in contents:
        size = sum(map(len, chunks))
        windows.append(Window(offset, [Chunk(chunk_digest(raw), raw) for raw in chunks], size))
        offset += size
    return windows


def _payload_of(message: Message, stored: dict[bytes, bytes]) -> bytes:
    data = b""
    for entry in message.request.chunks.chunks:
        match entry.WhichOneof("body"):
            case "raw":
                raw = entry.raw
            case "zstd_frame":
                raw = decode(Codec.ZSTD, entry.zstd_frame, entry.raw_size_bytes)
            case _:
                raw = stored[entry.digest]
        assert len(raw) == entry.raw_size_bytes
        assert chunk_digest(raw) == entry.digest
        data += raw
    return data


_contents = st.lists(
    st.lists(
        st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, 9).map(lambda n: bytes([n]) * 200_000)),
        min_size=1,
        max_size=40,
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(contents=_contents, data=st.data())
async def test_messages_give_back_the_payload(contents: list[list[bytes]], data: st.DataObject) -> None:
    windows = _cut(contents)
    chunks = {chunk.digest: chunk.raw for window in windows for chunk in window.chunks}
    stored = {digest: raw for digest, raw in chunks.items() if data.draw(st.booleans())}

    async def find_missing(digests: Sequence[bytes]) -> Sequence[int]:
        return [index for index, digest in enumerate(digests) if digest not in stored]

    whole = b"".join(chunk.raw for window in windows for chunk in window.chunks)
    offset = 0
    async with aclosing(thrifty_messages(_source(windows), find_missing, references=True)) as messages:
        async for message in messages:
            assert message.request.chunks.offset == offset
            part = _payload_of(message, stored)
            assert whole[offset : offset + len(part)] == part
            assert message.payload_bytes == len(part)
            entries = message.request.chunks.chunks
            bodies = [entry for entry in entries if entry.WhichOneof("body")]
            assert message.sent_bytes == sum(len(e.raw) + len(e.zstd_frame) for e in bodies)
            assert message.reused_bytes == len(part) - sum(entry.raw_size_bytes for entry in bodies)
            assert message.request.ByteSize() < MESSAGE_BYTES + 300_000
            offset += len(part)
    assert offset == len(whole)


async def test_without_references_nothing_is_asked_and_everything_sent() -> None:
    windows = _cut([[b"a" * 100, b"b" * 200]])

    async def never(_digests: Sequence[bytes]) -> Sequence[int]:
        raise AssertionError("nothing is to be asked")

    messages = [m async for m in thrifty_messages(_source(windows), never, references=False)]
    assert [message.reused_bytes for message in messages] == [0]
    assert _payload_of(messages[0], {}) == b"a" * 100 + b"b" * 200


async def test_the_plain_way_sends_the_bytes_as_they_are() -> None:
    groups = [[Piece(5, b"a" * 1_000_000), Piece(1_000_005, b"b" * 700_000)], [Piece(1_700_005, b"c")]]

    async def read() -> AsyncGenerator[list[Piece], None]:
        for group in groups:
            yield group

    messages = [message async for message in plain_messages(read())]
    sent = [Piece(message.request.data.offset, message.request.data.data) for message in messages]
    assert sent == [piece for group in groups for piece in group]
    assert [message.sent_bytes for message in messages] == [1_000_000, 700_000, 1]


async def test_asking_runs_ahead_of_sending_by_a_bounded_number_of_windows() -> None:
    windows = _cut([[bytes([n]) * 100] for n in range(1, 30)])
    asked = 0

    async def find_missing(digests: Sequence[bytes]) -> Sequence[int]:
        nonlocal asked
        asked += 1
        return range(len(digests))

    ahead: list[int] = []
    sent = 0
    async with aclosing(thrifty_messages(_source(windows), find_missing, references=True)) as messages:
        async for _ in messages:
            sent += 1
            ahead.append(asked - sent)
    assert sent == len(windows)
    assert 0 < max(ahead) <= 3


async def test_a_question_that_fails_ends_it_and_leaves_no_thread() -> None:
    windows = _cut([[bytes([n]) * 100_000] * 3 for n in range(1, 10)])

    async def find_missing(digests: Sequence[bytes]) -> Sequence[int]:
        if windows[3].chunks[0].digest in digests:
            raise Unavailable("away")
        return range(len(digests))

    with pytest.raises(Unavailable):
        async for _ in thrifty_messages(_source(windows), find_missing, references=True):
            pass
    assert not [t.name for t in threading.enumerate() if t.name.startswith("longshore-zstd")]
