"""One POST to a receiver: by its deadline, without redirects, and without reading what it answers with."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_CONNECT_TIMEOUT_S: Final = 5.0


class NotDelivered(Exception):
    """The receiver has not taken it; the message says why, without its URL."""


class Posting:
    """A POST that one thread makes and any other may break off."""

    def __init__(self, url: str, ca_file: Path | None, timeout_s: float) -> None:
        self._url = urlsplit(url)
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._held: socket.socket | None = None
        self._broken_off = False

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when the receiver has answered with a 2xx. Raises ``NotDelivered``."""
        deadline_s = time.monotonic() + self._timeout_s
        timer = threading.Timer(self._timeout_s, self.break_off)
        timer.daemon = True
        timer.start()
        try:
            status = self._status(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= deadline_s
            raise NotDelivered(f"no answer within {self._timeout_s:g} s" if late else _why(error)) from error
        finally:
            timer.cancel()
            if self._held is not None:
                self._held.close()
        if not 200 <= status < 300:
            raise NotDelivered(f"answered {status}")

    def break_off(self) -> None:
        """End it now: whoever sends a byte now and then is never silent for long."""
        self._broken_off = True
        if self._held is not None:
            with suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)

    def _status(self, body: bytes, headers: Mapping[str, str]) -> int:
        host = self._url.hostname or ""
        secure = self._url.scheme == "https"
        connection = http.client.HTTPConnection(host, self._url.port or (443 if secure else 80))
        try:
            connection.sock = sock = self._connected(host, connection.port)
            if secure:
                trust = ssl.create_default_context(cafile=self._ca_file)
                connection.sock = trust.wrap_socket(sock, server_hostname=host)
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            connection.request("POST", target, body, {"Host": self._url.netloc, **headers})
            return connection.getresponse().status
        finally:
            connection.close()

    def _connected(self, host: str, port: int) -> socket.socket:
        sock = socket.create_connection((host, port), min(_CONNECT_TIMEOUT_S, self._timeout_s))
        sock.settimeout(self._timeout_s)
        # The TLS socket that follows is this one in another guise, and not to be touched from elsewhere.
        self._held = sock.dup()
        if self._broken_off:
            self.break_off()
        return sock


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not trusted here: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    return "did not answer with HTTP"
