"""A store over HTTP that answers as it is told: for faults that a real one does not show on demand."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection without an answer."""


def s3_error(status: int, code: str, more: str = "") -> Answer:
    body = f"<Error><Code>{code}</Code><Message>told so</Message>{more}</Error>".encode()
    return Answer(status, body, {"Content-Type": "application/xml"})


class StubStore:
    """``answers`` are given one after another, the last one for ever; ``requests`` were received."""

    def __init__(self, answers: Sequence[Answer], tls: ssl.SSLContext | None) -> None:
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self._answers = list(answers)
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                stub.requests.append(f"{self.command} {self.path}")
                stub.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                answer = stub._answers.pop(0) if len(stub._answers) > 1 else stub._answers[0]
                if answer.drop:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in answer.headers:
                    self.send_header("Content-Length", str(len(answer.body)))
                else:
                    self.close_connection = True
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Stay silent: the tests look at ``requests``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"127.0.0.1:{self._server.server_port}"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def stub_store(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[StubStore]:
    stub = StubStore(answers, tls)
    thread = threading.Thread(target=stub.serve)
    thread.start()
    try:
        yield stub
    finally:
        stub.close()
        thread.join()
