"""A web server of a test's own, which answers as it is told to, the worst ways included."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.services.certificates import KeyPair

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, with header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


class WebServer:
    """Serves ``answers`` by target, 404 for others; ``ended`` is set when it is closed."""

    def __init__(self, host: str = "127.0.0.1", tls: KeyPair | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.ended = threading.Event()
        self.scheme = "https" if tls else "http"
        self._server = _Server((host, 0), _handler_of(self))
        self.host = host
        self.port = self._server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.cert_file, tls.key_file)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, target: str, *, host: str = "") -> str:
        return f"{self.scheme}://{host or self.host}:{self.port}{target}"

    def serve(self, target: str, body: bytes, *, status: int = 200, **headers: str) -> str:
        """Answer ``target`` with a body; underscores in names of headers are dashes. Its URL."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content_Length": str(len(body)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[target] = answer
        return self.url(target)

    def redirect(self, target: str, location: str, status: int = 302) -> str:
        return self.serve(target, b"", status=status, Location=location)

    def raw(self, target: str, data: bytes) -> str:
        """Answer ``target`` with these bytes, head and all, and hang up."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(data)

        self.answers[target] = answer
        return self.url(target)

    def dripping(self, target: str, head: bytes, drop: bytes) -> str:
        """Answer ``target`` with ``head``, then a drop every now and then, without an end."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(head)
            while not self.ended.wait(0.02):
                handler.wfile.write(drop)

        self.answers[target] = answer
        return self.url(target)

    def silent(self, target: str, head: bytes = b"") -> str:
        """Answer ``target`` with ``head`` and nothing more, and keep the line."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(head)
            self.ended.wait(30)

        self.answers[target] = answer
        return self.url(target)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


def _handler_of(server: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(
                Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            )
            answer = server.answers.get(self.path)
            if answer is None:
                self.send_error(404)
            else:
                answer(self)

        do_HEAD = do_GET  # noqa: N815
        do_POST = do_GET  # noqa: N815
        do_CONNECT = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
