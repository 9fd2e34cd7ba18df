"""Faults in between: TCP proxies that can be cut, slowed and silenced while connections are open."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .child import Command
from .local_http import ask
from .ports import HOST, ReservedPort
from .service import Service


class Proxy:
    """One proxy: connect to ``address`` in place of the upstream."""

    def __init__(self, url: str, address: str) -> None:
        self._url = url
        self.address = address

    def cut(self) -> None:
        """Close every connection and refuse new ones."""
        ask(self._url, {"enabled": False})

    def mend(self) -> None:
        """Let everything through again."""
        ask(self._url, {"enabled": True})
        for toxic in ask(f"{self._url}/toxics"):
            ask(f"{self._url}/toxics/{toxic['name']}", method="DELETE")

    def silence(self) -> None:
        """Keep connections open and deliver nothing, either way, as a partition does."""
        for stream in ("upstream", "downstream"):
            self._add("timeout", stream, {"timeout": 0})

    def slow(self, *, bytes_per_s: int, stream: str = "upstream") -> None:
        """Limit the rate towards the upstream, or ``downstream`` towards the client."""
        self._add("bandwidth", stream, {"rate": max(1, bytes_per_s // 1000)})

    def delay(self, *, delay_ms: int, stream: str = "downstream") -> None:
        """Hold back every piece of data."""
        self._add("latency", stream, {"latency": delay_ms})

    def break_after(self, *, size_bytes: int, stream: str = "upstream") -> None:
        """Close a connection once it has carried so many bytes."""
        self._add("limit_data", stream, {"bytes": size_bytes})

    def _add(self, kind: str, stream: str, attributes: dict[str, int]) -> None:
        ask(f"{self._url}/toxics", {"type": kind, "stream": stream, "attributes": attributes})


class ToxiproxyService(Service):
    """The server behind all proxies of a session."""

    def __init__(self, program: Path, folder: Path) -> None:
        super().__init__()
        self._program = program
        self._folder = folder
        self._port = ReservedPort()
        self._url = f"http://{self._port.address}"
        folder.mkdir()

    def command(self) -> Command:
        where = ["-host", HOST, "-port", str(self._port.number)]
        return Command(name="toxiproxy", argv=[str(self._program), *where], folder=self._folder)

    def ready(self) -> bool:
        ask(f"{self._url}/proxies")
        return True

    @contextmanager
    def proxy(self, upstream: str) -> Iterator[Proxy]:
        """A proxy to ``upstream`` (HOST:PORT) on a port of its own, for the length of the block."""
        self.ensure_running()
        wish = {"name": uuid.uuid4().hex, "listen": f"{HOST}:0", "upstream": upstream, "enabled": True}
        made = ask(f"{self._url}/proxies", wish)
        url = f"{self._url}/proxies/{made['name']}"
        try:
            yield Proxy(url, made["listen"])
        finally:
            ask(url, method="DELETE")

    def close(self) -> None:
        super().close()
        self._port.close()
