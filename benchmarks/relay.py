"""A relay between a client and a server that counts every byte on the wire, and can cut it.

It counts what the kernel received, read or not, so that what was under way when a connection was cut counts
as sent. All connections together may be held to a rate in the server's answers. Threads do the work, so that
the client's event loop beside it is not held up.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BLOCK_BYTES = 256 * 1024
# A wire holds little: what is in the relay when it is cut must not count as if it had been lost on one.
_BUFFER_BYTES = 256 * 1024


class Relay:
    """Relays TCP from ``address`` to one server; ``sent_bytes`` went to it, ``received_bytes`` came back."""

    def __init__(self, target: str, *, received_bytes_per_s: int | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._cut_at_bytes: int | None = None
        self._received_bytes_per_s = received_bytes_per_s
        self._free_at = 0.0
        self.sent_bytes = 0
        self.received_bytes = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, sent_bytes: int) -> None:
        """Break every connection, once, as soon as ``sent_bytes`` reaches this."""
        self._cut_at_bytes = sent_bytes

    def close(self) -> None:
        """Accept no more, and break what is open."""
        # Wakes the thread that accepts; closing alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._break_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self.connections += 1
            threading.Thread(target=self._relay, args=(client, server), daemon=True).start()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open |= {client, server}
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answering = threading.Thread(target=self._pump, args=(server, client, False), daemon=True)
        answering.start()
        self._pump(client, server, True)
        answering.join()
        with self._lock:
            self._open -= {client, server}
            client.close()
            server.close()

    def _pump(self, source: socket.socket, sink: socket.socket, is_sending: bool) -> None:
        buffer = memoryview(bytearray(_BLOCK_BYTES))
        with suppress(OSError):
            while count := source.recv_into(buffer):
                self._count(count, source, is_sending)
                if not is_sending and self._received_bytes_per_s is not None:
                    self._take_turn(count / self._received_bytes_per_s)
                sink.sendall(buffer[:count])
            sink.shutdown(socket.SHUT_WR)

    def _count(self, count: int, source: socket.socket, is_sending: bool) -> None:
        with self._lock:
            if not is_sending:
                self.received_bytes += count
                return
            self.sent_bytes += count
            if self._cut_at_bytes is not None and self.sent_bytes >= self._cut_at_bytes:
                self._cut_at_bytes = None
                self.sent_bytes += _unread_bytes(source)
                self._break_all()

    def _take_turn(self, takes_s: float) -> None:
        """Wait until the line has carried what was there before, and this."""
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + takes_s
            wait_s = self._free_at - now
        time.sleep(wait_s)

    def _break_all(self) -> None:
        for each in self._open:
            # Reset, not ended in order: neither side may take it for an end.
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RD)
                each.close()
        self._open.clear()


def _unread_bytes(source: socket.socket) -> int:
    answer = fcntl.ioctl(source, termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])


@contextmanager
def relay_to(target: str, *, received_bytes_per_s: int | None = None) -> Iterator[Relay]:
    """A relay to ``target`` (``HOST:PORT``) for the length of the block."""
    relay = Relay(target, received_bytes_per_s=received_bytes_per_s)
    try:
        yield relay
    finally:
        relay.close()
