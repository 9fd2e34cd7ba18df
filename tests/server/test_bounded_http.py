"""The small HTTP server: whoever holds connections keeps neither the node nor others from anything."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from longshore_server import bounded_http
from longshore_server.bounded_http import open_http
from longshore_server.settings import TlsSettings
from longshore_storage.errors import Misconfigured
from tests.services.certificates import LOCAL_NAMES, Authority

OTHER = "127.0.0.2"


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def listening(tls: TlsSettings | None = None, listen: str = "127.0.0.1:0") -> Iterator[tuple[str, int]]:
    with open_http(listen, Hello, setting="metrics.listen", tls=tls) as address:
        host, _, port = address.rpartition(":")
        yield host.strip("[]"), int(port)


Connect = Callable[..., socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connections that stay as long as the test; with what was sent already."""
    with ExitStack() as stack:

        def connected(
            address: tuple[str, int], source: str = "127.0.0.1", sent: bytes = b"GET / HTTP/1.1\r\n"
        ) -> socket.socket:
            one = socket.create_connection(address, timeout=20, source_address=(source, 0))
            stack.enter_context(one)
            with suppress(OSError):
                one.sendall(sent)
            return one

        yield connected


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def answered(address: tuple[str, int], source: str = "127.0.0.1") -> bytes:
    connection = http.client.HTTPConnection(*address, timeout=20, source_address=(source, 0))
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_one_address_takes_four_places_and_others_are_answered(connect: Connect) -> None:
    with listening() as address:
        held = [connect(address) for _ in range(4)]
        assert all(is_closed(connect(address)) for _ in range(20))
        assert answered(address, OTHER) == b"hello"
        for connection in held:
            connection.sendall(b"\r\n")
            assert connection.recv(8) == b"HTTP/1.0"


def test_all_addresses_together_take_twelve(connect: Connect) -> None:
    with listening() as address:
        held = [connect(address, f"127.0.0.{last}") for last in (1, 2, 3) for _ in range(4)]
        assert is_closed(connect(address, "127.0.0.4"))
        held[0].sendall(b"\r\n")
        assert held[0].recv(8) == b"HTTP/1.0"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: "])
def test_what_does_not_come_to_an_end_is_ended(
    sent: bytes, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "REQUEST_S", 0.3)
    with listening() as address:
        held = [connect(address, sent=sent) for _ in range(4)]
        assert all(is_closed(connection) for connection in held)
        assert until(lambda: answered(address)) == b"hello"


def until(ask: Callable[[], bytes]) -> bytes:
    """What is answered as soon as a place is free."""
    for _ in range(1000):
        try:
            return ask()
        except OSError:
            continue
    return ask()


def test_tls_is_spoken_with_the_certificate_that_is_there_now(tmp_path: Path) -> None:
    old, new = (Authority(tmp_path / name) for name in ("old", "new"))
    pair = old.issue("server", hosts=LOCAL_NAMES)
    with listening(TlsSettings(cert_file=pair.cert_file, key_file=pair.key_file)) as address:
        assert answered_by_tls(address, old) == b"hello"
        renewed = new.issue("server", hosts=LOCAL_NAMES)
        pair.cert_file.write_bytes(renewed.cert_file.read_bytes())
        pair.key_file.write_bytes(renewed.key_file.read_bytes())
        assert answered_by_tls(address, new) == b"hello"


def answered_by_tls(address: tuple[str, int], authority: Authority) -> bytes:
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    connection = http.client.HTTPSConnection(*address, timeout=20, context=trust)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_who_shows_no_tls_is_ended(tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "REQUEST_S", 0.3)
    pair = Authority(tmp_path / "authority").issue("server", hosts=LOCAL_NAMES)
    with listening(TlsSettings(cert_file=pair.cert_file, key_file=pair.key_file)) as address:
        assert is_closed(connect(address, sent=b""))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_what_counts_as_one_address(one: str, other: str) -> None:
    assert bounded_http._neighbourhood(one) == bounded_http._neighbourhood(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1"), ("::ffff:192.0.2.1", "::1")],
)
def test_what_counts_as_two(one: str, other: str) -> None:
    assert bounded_http._neighbourhood(one) != bounded_http._neighbourhood(other)


@pytest.mark.parametrize("listen", ["nowhere.invalid:0", "127.0.0.1:99999", "127.0.0.1:x"])
def test_where_nobody_can_listen_is_told(listen: str) -> None:
    with pytest.raises(Misconfigured, match=r"metrics\.listen"), listening(listen=listen):
        pass
