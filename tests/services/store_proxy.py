"""A proxy in front of an S3 store that does to chosen requests what a bad network or a bad store does.

It understands requests as the store does (operation, key, body), which a proxy of TCP cannot. What is to go
wrong, with which requests and how often, is a ``Rule``; the faults themselves are in ``store_faults``. The
host of a signed request is the proxy's, which a store accepts.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from .http_messages import Answer, Request, read_answer, read_request
from .ports import HOST, ReservedPort

_LIMIT_BYTES = 1 << 20
_PIECE_BYTES = 64 * 1024


class ConnectionEnded(Exception):
    """Nothing more is to happen on the client's connection."""


class StoreFault(Protocol):
    """What becomes of a request that a rule hits."""

    async def meet(self, exchange: Exchange) -> None:
        """Treat the request; without any answer the client waits until its patience ends."""
        ...


class Rule:
    """One fault for requests of ``operation`` (empty: all) on keys that begin with ``key``.

    The first ``skip`` of them pass, then ``times`` are hit (None: all of them, until the proxy is mended).
    """

    def __init__(self, fault: StoreFault, operation: str, key: str, skip: int, times: int | None) -> None:
        self.fault = fault
        self._operation = operation
        self._key = key
        self._skip = skip
        self._times = times
        self._met = 0
        self.hits = 0
        self._hit = asyncio.Event()

    async def has_hit(self, *, deadline_s: float = 20) -> None:
        """Wait until it has hit a request. Raises ``TimeoutError``."""
        await asyncio.wait_for(self._hit.wait(), deadline_s)

    def takes(self, request: Request) -> bool:
        """Whether this request is hit; counts it."""
        if self._operation not in ("", request.operation) or not request.key.startswith(self._key):
            return False
        self._met += 1
        if self._met <= self._skip or self.hits == self._times:
            return False
        self.hits += 1
        self._hit.set()
        return True


class Exchange:
    """One request on its way: what a fault may do with it."""

    def __init__(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: tuple[str, int],
        mended: asyncio.Event,
    ) -> None:
        self.request = request
        self.mended = mended
        self._reader = reader
        self._writer = writer
        self._upstream = upstream
        self._body: bytes | None = None

    async def body(self, *, bytes_per_s: float = 0) -> bytes:
        """The request's body, taken in as fast as it comes, or slower."""
        if self._body is None:
            parts: list[bytes] = []
            left = self.request.size_bytes
            while left:
                parts.append(await self._reader.readexactly(min(left, _PIECE_BYTES)))
                left -= len(parts[-1])
                if bytes_per_s:
                    await asyncio.sleep(len(parts[-1]) / bytes_per_s)
            self._body = b"".join(parts)
        return self._body

    async def forwarded(self, body: bytes | None = None) -> Answer:
        """Send the request, maybe with another body, to the store, and give back its answer."""
        if body is None:
            body = await self.body()
        reader, writer = await asyncio.open_connection(*self._upstream, limit=_LIMIT_BYTES)
        try:
            writer.write(self.request.head() + body)
            await writer.drain()
            return await read_answer(reader, self.request.method)
        finally:
            writer.close()

    async def forwarded_in_two(self, cut: int, between: asyncio.Event | None) -> Answer:
        """Send the body up to ``cut``, wait, and send the rest; without an event the rest never follows."""
        body = await self.body()
        reader, writer = await asyncio.open_connection(*self._upstream, limit=_LIMIT_BYTES)
        try:
            writer.write(self.request.head() + body[:cut])
            await writer.drain()
            if between is None:
                raise ConnectionEnded
            await between.wait()
            writer.write(body[cut:])
            await writer.drain()
            return await read_answer(reader, self.request.method)
        finally:
            writer.close()

    async def answer(self, answer: Answer, *, cut_at: int | None = None, bytes_per_s: float = 0) -> None:
        """Answer the client; with ``cut_at`` only so many bytes of the body that was announced."""
        self._writer.write(answer.head())
        body = answer.body[:cut_at]
        piece = _PIECE_BYTES if not bytes_per_s else max(int(bytes_per_s / 20), 1)
        for at in range(0, len(body), piece):
            self._writer.write(body[at : at + piece])
            await self._writer.drain()
            if bytes_per_s:
                await asyncio.sleep(piece / bytes_per_s)
        await self._writer.drain()

    def reset(self) -> None:
        """End the connection by a reset."""
        # Nothing lingers: what is not sent yet is thrown away, and the other side told so.
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._writer.transport.abort()
        raise ConnectionEnded


class StoreProxy:
    """Made by ``store_proxy``. ``address`` is ``HOST:PORT``; ``requests`` what came, by operation and key."""

    def __init__(self, upstream: str, port: ReservedPort) -> None:
        host, _, number = upstream.rpartition(":")
        self.address = port.address
        self.requests: list[tuple[str, str]] = []
        self._upstream = (host, int(number))
        self._port = port.number
        self._rules: list[Rule] = []
        self._mended = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def url(self, url: str) -> str:
        """A store's URL with the proxy in the store's place."""
        host, port = self._upstream
        return url.replace(f"{host}:{port}", self.address)

    def break_(
        self,
        fault: StoreFault,
        operation: str = "",
        key: str = "",
        *,
        skip: int = 0,
        times: int | None = None,
    ) -> Rule:
        """Let a fault happen from now on; see ``Rule``. Of several rules the first that hits counts."""
        rule = Rule(fault, operation, key, skip, times)
        self._rules.append(rule)
        return rule

    async def mend(self) -> None:
        """Let everything through again; whoever was left hanging is cut off."""
        self._rules.clear()
        self._mended.set()
        self._mended = asyncio.Event()
        await self.listen()

    async def listen(self) -> None:
        """Take connections, if it does not."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, HOST, self._port, limit=_LIMIT_BYTES, reuse_address=True
            )

    async def refuse(self) -> None:
        """Close every connection and take no new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        serving = dict(self._connections)
        for task, writer in serving.items():
            task.cancel()
            writer.transport.abort()
        if serving:
            await asyncio.wait(serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        # Whatever ends a connection ends it for the client too, which is what it has to get over.
        with suppress(OSError, EOFError, ConnectionEnded, asyncio.CancelledError):
            while (request := await read_request(reader)) is not None:
                await self._treat(Exchange(request, reader, writer, self._upstream, self._mended))
        del self._connections[task]
        writer.close()

    async def _treat(self, exchange: Exchange) -> None:
        request = exchange.request
        self.requests.append((request.operation, request.key))
        for rule in self._rules:
            if rule.takes(request):
                await rule.fault.meet(exchange)
                return
        await exchange.answer(await exchange.forwarded())


@asynccontextmanager
async def store_proxy(upstream: str) -> AsyncIterator[StoreProxy]:
    """A proxy to ``upstream`` (HOST:PORT), which lets everything through until it is told otherwise."""
    with ReservedPort() as port:
        proxy = StoreProxy(upstream, port)
        await proxy.listen()
        try:
            yield proxy
        finally:
            await proxy.refuse()
