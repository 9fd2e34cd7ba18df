"""A receiver of notifications as people run them: an HTTP server that notes what comes, and answers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.services.certificates import KeyPair

SECRET = b"a secret that both of them know"


@dataclass(frozen=True)
class Come:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """``answers`` are the statuses of the next requests; from then on it is 204."""

    port: int
    come: list[Come] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    # Called before it answers, with the connection.
    before_answer: Callable[[socket.socket], None] = lambda _: None
    # While it is not set nothing is taken.
    may_go_on: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?who=us"

    def events(self) -> list[str]:
        return [each.told["event"] for each in self.come]

    def wait_for(self, met: Callable[[Receiver], object], *, deadline_s: float = 30) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: met(self), deadline_s), self.come

    def settings(self, folder: Path, name: str = "chat", **values: Any) -> dict[str, Any]:
        """An entry of ``notifications``."""
        secret_file = folder / "receiver-secret"
        secret_file.write_bytes(SECRET + b"\n")
        return {"name": name, "url": self.url, "secret_file": str(secret_file), **values}


@contextmanager
def receiving(port: int = 0, pair: KeyPair | None = None) -> Iterator[Receiver]:
    """Listen while the block runs, with TLS where there is a certificate for it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.may_go_on.wait()
            with receiver.changed:
                status = receiver.answers.pop(0) if receiver.answers else 204
                receiver.come.append(Come(self.path, dict(self.headers), body))
                receiver.changed.notify_all()
            receiver.before_answer(self.connection)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that break off are part of the tests."""

    server = Server(("127.0.0.1", port), Handler)
    if pair is not None:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(pair.cert_file, pair.key_file)
        server.socket = trust.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
