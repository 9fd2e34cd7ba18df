"""Connections to servers, over a proxy where the environment names one, and what may go wrong on them.

A connection leads to an address that the caller has checked, never to a name; the server is asked for by its
name all the same, in TLS too. Everything ends by its deadline.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from longshore_client.source_errors import SourceDamaged, SourceRefused, SourceUnavailable

from .options import Deadline
from .proxies import Proxy
from .urls import Origin, shown_url

_CONNECT_TIMEOUT_S: Final = 15.0
_WIRE_ERRORS: Final = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, EOFError)


class Connector:
    """Connects within a deadline; ``idle_timeout_s`` is how long a server may be silent."""

    def __init__(self, deadline: Deadline, idle_timeout_s: float) -> None:
        self._deadline = deadline
        self._idle_timeout_s = idle_timeout_s
        self._trust: ssl.SSLContext | None = None

    def connected(
        self, origin: Origin, addresses: Sequence[str], url: str, proxy: Proxy | None
    ) -> HTTPConnection:
        """A connection to the first of the addresses that takes one, or to the proxy.

        Raises ``SourceUnavailable``, ``SourceRefused``, ``SourceDamaged``.
        """
        failure: SourceUnavailable | None = None
        for host, port in (
            [(proxy.host, proxy.port)] if proxy else [(each, origin.port) for each in addresses]
        ):
            connection = self._connection(origin, host, port, proxy)
            try:
                with (
                    ended_by(partial(getattr, connection, "sock"), self._deadline),
                    translated(url, self._deadline),
                ):
                    connection.connect()
                    # It sets its socket to this with each request.
                    connection.timeout = self._idle_timeout_s
            except SourceUnavailable as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        assert failure is not None
        raise failure

    def _connection(self, origin: Origin, host: str, port: int, proxy: Proxy | None) -> HTTPConnection:
        timeout_s = min(_CONNECT_TIMEOUT_S, self._idle_timeout_s, self._deadline.left_s())
        if origin.scheme == "http":
            return HTTPConnection(host, port, timeout=timeout_s)
        if self._trust is None:
            self._trust = ssl.create_default_context()
        connection = HTTPSConnection(
            host, port, timeout=timeout_s, ssl_context=self._trust, server_hostname=origin.host
        )
        if proxy is not None:
            connection.set_tunnel(origin.host, origin.port, headers=proxy.headers())
        return connection


@contextmanager
def ended_by(find_socket: Callable[[], socket.socket | None], deadline: Deadline) -> Iterator[None]:
    """Break the connection off at the deadline: a server that sends a byte now and then is never silent."""

    def end() -> None:
        sock = find_socket()
        if sock is not None:
            # Not the TLS socket's own way, which changes an object that the reading thread uses.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(deadline.left_s(), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def translated(url: str, deadline: Deadline) -> Iterator[None]:
    """What goes wrong on the wire is an error of ours, and says which URL it was about."""
    try:
        yield
    except _WIRE_ERRORS as error:
        if deadline.passed:
            raise deadline.error() from error
        is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if not is_refused and isinstance(error, (urllib3.exceptions.TimeoutError, TimeoutError)):
            raise SourceUnavailable(f"{shown_url(url)} did not answer in time") from error
        if isinstance(error, (urllib3.exceptions.ProtocolError, http.client.HTTPException)):
            raise SourceDamaged(f"{shown_url(url)} ended early, or was no HTTP") from error
        if isinstance(error, ssl.SSLCertVerificationError):
            raise SourceRefused(
                f"{shown_url(url)} shows a certificate that is not trusted here: {error.verify_message}; the "
                "environment variable SSL_CERT_FILE names other authorities"
            ) from error
        raise SourceUnavailable(f"{shown_url(url)} cannot be reached: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
