"""A small HTTP server in threads, for what a node answers beside its calls: metrics and pushes.

Whoever reaches the port may send what he likes, so all of it is bounded before anything is looked at: twelve
connections at a time, four of them from one address (of IPv6, one network of 64 bits), and ten seconds for
each, from its first byte to its last. One more is closed at once.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from longshore_storage.errors import Misconfigured

from .settings import TlsSettings

REQUEST_S: Final = 10.0
_AT_ONCE: Final = 12
_OF_ONE_ADDRESS: Final = 4
_PAUSE_S: Final = 0.1

Handler = Callable[[Any, Any, Any], BaseHTTPRequestHandler]


@contextmanager
def open_http(
    listen: str, handler: Handler, *, setting: str, tls: TlsSettings | None = None
) -> Iterator[str]:
    """Answer at ``listen`` (HOST:PORT; port 0 picks one) while the block runs; gives the address.

    ``handler`` is made anew for each request, in a thread of its own. ``tls`` is read anew each time, so that
    a renewed certificate counts. Raises ``Misconfigured`` where nobody can listen; ``setting`` named it.
    """
    host, _, port = listen.rpartition(":")
    try:
        server = _Server((host.strip("[]"), int(port)), handler, tls)
    except (OSError, ValueError, OverflowError) as error:
        raise Misconfigured(
            f"cannot listen at {listen} (`{setting}`): {error}; choose another HOST:PORT"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name=setting, daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Places:
    """Who is being answered, by address."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, address: str) -> bool:
        with self._lock:
            if self._taken.total() >= _AT_ONCE or self._taken[address] >= _OF_ONE_ADDRESS:
                return False
            self._taken[address] += 1
            return True

    def give_back(self, address: str) -> None:
        with self._lock:
            self._taken[address] -= 1
            self._taken += Counter()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Whoever still waits for an answer must not keep the node from ending.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Handler, tls: TlsSettings | None) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._tls = tls if tls is not None and tls.cert_file is not None else None
        self._places = _Places()
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError:
            # No file is left for it: asked again at once and for ever, that would take a core.
            time.sleep(_PAUSE_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        address = _neighbourhood(client_address[0])
        if not self._places.take(address):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # The system has no thread for it.
            self._places.give_back(address)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            with _ended_in_time(request):
                super().process_request_thread(request, client_address)
        finally:
            self._places.give_back(_neighbourhood(client_address[0]))

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(str(self._tls.cert_file), self._tls.key_file)
        with trust.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends early, or shows no TLS, is nobody's fault here."""


@contextmanager
def _ended_in_time(request: socket.socket) -> Iterator[None]:
    """Break a connection off whose request is not there and answered in time."""
    with request.dup() as held:

        def end() -> None:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(REQUEST_S, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _neighbourhood(host: str) -> str:
    """What counts as one address: of IPv6 anybody has a whole network."""
    address = ip_address(host.partition("%")[0])
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped) if address.ipv4_mapped else address.exploded[:19]
