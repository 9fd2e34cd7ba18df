"""Through a proxy, as the environment names it: the proxy finds the servers, and TLS goes through it."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from longshore_client.sources import FetchOptions, SourceRefused, SourceUnavailable, UrlSource, fetch
from tests.services.certificates import Authority

from .conftest import NewServer
from .web_server import WebServer

USER = "Basic dXNlcjpwdw=="


class ProxyServer(WebServer):
    """Tunnels to 127.0.0.1 whatever name is asked for, and answers plain requests itself."""

    def tunnel(self, handler: BaseHTTPRequestHandler) -> None:
        port = int(handler.path.rpartition(":")[2])
        with closing(socket.create_connection(("127.0.0.1", port))) as there:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            here = handler.connection
            with selectors.DefaultSelector() as selector:
                selector.register(here, selectors.EVENT_READ, there)
                selector.register(there, selectors.EVENT_READ, here)
                while not self.ended.is_set():
                    for key, _ in selector.select(0.05):
                        assert isinstance(key.fileobj, socket.socket)
                        data = key.fileobj.recv(65536)
                        if not data:
                            return
                        key.data.sendall(data)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProxyServer]:
    server = ProxyServer()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://user:pw@127.0.0.1:{server.port}")
    yield server
    server.close()


def test_https_is_tunnelled_to_the_server_by_its_name(
    proxy: ProxyServer, new_server: NewServer, authority: Authority, into: Path
) -> None:
    secure = new_server(tls=authority.issue("packages.test", hosts=["packages.test"]))
    secure.serve("/x.tar", b"bytes")
    target = f"packages.test:{secure.port}"
    proxy.answers[target] = proxy.tunnel
    assert fetch(UrlSource(f"https://{target}/x.tar"), into).path.read_bytes() == b"bytes"
    assert [(each.method, each.target) for each in proxy.requests] == [("CONNECT", target)]
    assert proxy.requests[0].headers["proxy-authorization"] == USER
    assert "proxy-authorization" not in secure.requests[0].headers


def test_plain_http_is_asked_of_the_proxy(proxy: ProxyServer, into: Path, plain: FetchOptions) -> None:
    proxy.serve("http://packages.test/x.tar", b"bytes")
    assert fetch(UrlSource("http://packages.test/x.tar"), into, plain).path.read_bytes() == b"bytes"
    headers = proxy.requests[0].headers
    assert (headers["host"], headers["proxy-authorization"]) == ("packages.test", USER)


def test_no_proxy_where_the_environment_says_so(
    proxy: ProxyServer, server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetch(UrlSource(server.serve("/x.tar", b"bytes")), into, plain).path.read_bytes() == b"bytes"
    assert not proxy.requests


def test_no_proxy_is_asked_for_a_private_address_that_a_public_server_names(
    proxy: ProxyServer, into: Path, plain: FetchOptions
) -> None:
    proxy.redirect("http://packages.test/a", "http://169.254.169.254/secrets")
    with pytest.raises(SourceRefused, match="private address"):
        fetch(UrlSource("http://packages.test/a"), into, plain)
    assert len(proxy.requests) == 1


def test_a_token_goes_through_no_proxy_unencrypted(
    proxy: ProxyServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKAGES_TOKEN", "s3cret")
    with pytest.raises(SourceRefused, match="over plain HTTP"):
        fetch(UrlSource("http://packages.test/x"), into, replace(plain, token_env="PACKAGES_TOKEN"))
    assert not proxy.requests


def test_a_proxy_that_refuses(proxy: ProxyServer, into: Path) -> None:
    proxy.serve("packages.test:443", b"", status=407)
    with pytest.raises(SourceUnavailable, match="cannot be reached") as raised:
        fetch(UrlSource("https://packages.test/x"), into)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["socks5://user:pw@127.0.0.1:1", "https://user:pw@127.0.0.1:1", "http://user:pw@127.0.0.1:x"]
)
def test_a_proxy_of_another_kind(
    url: str, into: Path, monkeypatch: pytest.MonkeyPatch, proxy: ProxyServer
) -> None:
    monkeypatch.setenv("https_proxy", url)
    with pytest.raises(SourceRefused, match="no_proxy") as raised:
        fetch(UrlSource("https://packages.test/x"), into)
    assert "pw" not in str(raised.value)
