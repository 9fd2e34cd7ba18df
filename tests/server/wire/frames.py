"""HTTP/2 by hand: frames as RFC 9113 has them, and the few header fields that gRPC needs (RFC 7541)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
INITIAL_WINDOW_SIZE, CANCEL = 0x4, 0x8


def frame(kind: int, flags: int = 0, stream: int = 0, content: bytes = b"") -> bytes:
    """One frame."""
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


def settings(**values: int) -> bytes:
    """Settings; ``window`` is how much may be sent on a stream before it is asked for more."""
    numbers = {"window": INITIAL_WINDOW_SIZE}
    content = b"".join(
        numbers[name].to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items()
    )
    return frame(SETTINGS, content=content)


def field(name: bytes, value: bytes) -> bytes:
    """A header field that is in no table, literally."""
    return b"\0" + _text(name) + _text(value)


def _text(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, out = len(text) - 127, bytearray(b"\x7f")
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest]) + text


def call_fields(path: str) -> bytes:
    """The fields with which a gRPC call begins."""
    return b"".join(
        field(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b":authority", b"localhost"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )


def begin(stream: int, path: str, *more: bytes) -> bytes:
    """The headers of a call, whose messages may follow."""
    return frame(HEADERS, END_HEADERS, stream, call_fields(path) + b"".join(more))


def message(stream: int, content: bytes, *, last: bool = True) -> bytes:
    """A message of a call, not compressed."""
    return frame(DATA, END_STREAM if last else 0, stream, b"\0" + len(content).to_bytes(4, "big") + content)


class RawConnection:
    """A connection on which anything may be sent; what comes is read away unless ``reads`` is false.

    The server's settings are acknowledged where what comes is read, unless ``acknowledges`` is false.
    """

    def __init__(
        self,
        address: str,
        *,
        reads: bool = True,
        acknowledges: bool = True,
        first: Sequence[bytes] = (),
    ) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._reads = reads
        self._acknowledges = acknowledges
        self._first = first or [settings()]
        self.received = bytearray()

    async def __aenter__(self) -> RawConnection:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._reading = asyncio.create_task(self._read()) if self._reads else None
        await self.send(PREFACE, *self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._writer.transport.abort()

    @property
    def closed(self) -> bool:
        """Whether the server has closed it: known only where what comes is read."""
        return self._reading is not None and self._reading.done()

    async def send(self, *frames: bytes) -> bool:
        """Send; tells whether the connection was still open."""
        try:
            self._writer.write(b"".join(frames))
            await self._writer.drain()
        except ConnectionError:
            return False
        return not self.closed

    async def answered(self, deadline_s: float = 20) -> None:
        """Wait until the server has seen all that was sent."""
        answer = frame(PING, ACK, content=b"answered")
        self.received.clear()
        await self.send(frame(PING, content=b"answered"))
        async with asyncio.timeout(deadline_s):
            while answer not in self.received:
                await asyncio.sleep(0.01)

    async def until_closed(self, deadline_s: float) -> bool:
        """Wait; whether the server closed it in time."""
        assert self._reading is not None
        await asyncio.wait([self._reading], timeout=deadline_s)
        return self.closed

    async def _read(self) -> None:
        try:
            while more := await self._reader.read(1 << 16):
                if self._acknowledges:
                    # What a server sends first are its settings.
                    self._acknowledges = False
                    self._writer.write(frame(SETTINGS, ACK))
                self.received += more[: max(0, (1 << 20) - len(self.received))]
        except ConnectionError:
            return
