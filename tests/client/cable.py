"""A cable between client and server that a test can cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Cable:
    """Relays TCP from ``address`` to a server, and cuts after so many bytes towards either side."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = ""
        self.cuts = 0
        self.connections = 0
        self.cut_after_sent: int | None = None
        """Cut, once, when the client has sent this many bytes over one connection."""
        self.cut_after_received: int | None = None
        """Cut, once, when the client has received this many bytes over one connection."""

    def cut(self) -> None:
        """Break every connection at once, as a pulled plug would."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        to_reader, to_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, to_writer}
        for source, sink, due in (
            (reader, to_writer, self._sent_too_much),
            (to_reader, writer, self._received_too_much),
        ):
            task = asyncio.create_task(self._pump(source, sink, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, too_much: Callable[[int], bool]
    ) -> None:
        moved = 0
        try:
            while data := await source.read(65536):
                moved += len(data)
                if too_much(moved):
                    self.cut()
                    return
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()
            self._writers.discard(sink)

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
async def cable_to(address: str) -> AsyncIterator[Cable]:
    """A cable to the server at ``address``."""
    host, _, port = address.rpartition(":")
    cable = Cable(host, int(port))
    listener = await asyncio.start_server(cable.relay, "127.0.0.1", 0)
    host, port_number = listener.sockets[0].getsockname()
    cable.address = f"{host}:{port_number}"
    try:
        yield cable
    finally:
        listener.close()
        cable.cut()
        await cable.close()
