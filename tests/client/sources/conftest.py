"""Web servers of a test's own, names that lead to them, and a cache and settings that are the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from longshore_client.sources import Deadline, FetchOptions, hosts, web
from longshore_client.sources.urls import Origin
from tests.services.certificates import Authority, KeyPair

from .web_server import WebServer

NewServer = Callable[..., WebServer]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "longshore" / "sources"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on this machine is asked directly, also where the rest is behind a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1,127.0.0.2,127.0.0.3,.test,.invalid")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.fixture
def new_server() -> Iterator[NewServer]:
    with ExitStack() as stack:

        def start(host: str = "127.0.0.1", tls: KeyPair | None = None) -> WebServer:
            server = WebServer(host, tls)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def server(new_server: NewServer) -> WebServer:
    return new_server()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Its certificates are trusted by what the test fetches."""
    made = Authority(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.ca_file))
    return made


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Where names lead: to the first address, and with each question one further, as long as there are."""
    known: dict[str, list[str]] = {}

    def resolve(origin: Origin, deadline: Deadline) -> tuple[str, ...]:
        addresses = known.get(origin.host, [origin.host])
        return (addresses.pop(0) if len(addresses) > 1 else addresses[0],)

    monkeypatch.setattr(web, "resolve", resolve)
    return known


@pytest.fixture
def public_address(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of this machine that counts as one of the public internet; all others of it stay private."""
    judge = hosts.is_private
    address = "127.0.0.3"

    def is_private(asked: str) -> bool:
        return asked != address and judge(asked)

    monkeypatch.setattr(hosts, "is_private", is_private)
    monkeypatch.setattr(web, "is_private", is_private)
    return address


@pytest.fixture
def plain() -> FetchOptions:
    """What most tests fetch with: plain HTTP is allowed, and everything is small and quick."""
    return FetchOptions(allow_http=True, most_bytes=1 << 20, timeout_s=20, idle_timeout_s=5)
