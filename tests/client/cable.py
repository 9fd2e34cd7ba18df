"""A cable between client and server that a test can cut, or hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Cable:
    """Relays TCP from ``address`` to a server, and cuts after so many bytes towards either side."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.address = ""
        self.cuts = 0
        self.connections = 0
        self.sent_bytes = 0
        """What clients have sent over all connections."""
        self.cut_after_sent: int | None = None
        """Cut, once, when the client has sent this many bytes over one connection."""
        self.cut_after_received: int | None = None
        """Cut, once, when the client has received this many bytes over one connection."""
        self.hold_after_sent: int | None = None
        """Hold, once, all that a client sends over one connection from this many bytes on, until a cut."""
        self.held = asyncio.Event()

    def cut(self) -> None:
        """Break every connection at once, as a pulled plug would."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    def stop(self) -> None:
        """Cut, and let nobody through any more."""
        self._stopped = True
        self.cut()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopped:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            to_reader, to_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_writer}
        for pump in (
            self._pump(reader, to_writer, self._sent_too_much, self._count_and_hold),
            self._pump(to_reader, writer, self._received_too_much),
        ):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        too_much: Callable[[int], bool],
        let_pass: Callable[[int, int], Awaitable[None]] | None = None,
    ) -> None:
        moved = 0
        try:
            while data := await source.read(65536):
                moved += len(data)
                if too_much(moved):
                    self.cut()
                    return
                if let_pass is not None:
                    await let_pass(len(data), moved)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()
            self._writers.discard(sink)

    async def _count_and_hold(self, size_bytes: int, moved: int) -> None:
        self.sent_bytes += size_bytes
        if self.hold_after_sent is not None and moved >= self.hold_after_sent:
            self.hold_after_sent = None
            self.held.set()
            await asyncio.Event().wait()

    def _sent_too_much(self, moved: int) -> bool:
        due = self.cut_after_sent is not None and moved >= self.cut_after_sent
        if due:
            self.cut_after_sent = None
        return due

    def _received_too_much(self, moved: int) -> bool:
        due = self.cut_after_received is not None and moved >= self.cut_after_received
        if due:
            self.cut_after_received = None
        return due

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def cable_to(address: str, *, listen_port: int = 0) -> AsyncIterator[Cable]:
    """A cable to the server at ``address``, from a port on 127.0.0.1."""
    host, _, port = address.rpartition(":")
    cable = Cable(host, int(port))
    listener = await asyncio.start_server(cable.relay, "127.0.0.1", listen_port)
    host, port_number = listener.sockets[0].getsockname()
    cable.address = f"{host}:{port_number}"
    try:
        yield cable
    finally:
        listener.close()
        cable.cut()
        await cable.close()
