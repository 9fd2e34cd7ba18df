"""HTTP as sources need it: every address checked before it is connected to, redirects followed by hand.

Invariants: no request goes to an address that was not checked; none goes over plain HTTP, or from a public
host on to a private address, unless that was allowed; the token goes to the server that was named first, and
to no other; everything ends by its deadline. Each request has a connection of its own.
"""

from __future__ import annotations

import http.client
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final
from urllib.parse import SplitResult

from longshore_client.source_errors import (
    SourceDamaged,
    SourceNotFound,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
)

from .connections import Connector, ended_by, translated
from .hosts import is_private, public_only, resolve, written_out
from .options import Deadline, FetchOptions
from .proxies import proxy_for
from .urls import Origin, checked_url, encoded, host_header, joined, origin_of, plain_http, shown_url

MOST_REDIRECTS: Final = 5

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_PIECE_BYTES: Final = 256 * 1024
_MOST_LENGTH_DIGITS: Final = 18


class Answer:
    """A server's answer with status 200: its headers, and its body piece by piece."""

    def __init__(self, response: http.client.HTTPResponse, url: str, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        self.url = url
        self.content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self.content_encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        self.length_bytes = _length(response, url)

    def pieces(self, most_bytes: int) -> Iterator[bytes]:
        """The body as it came, not decoded.

        Raises ``SourceTooLarge``, ``SourceDamaged``, ``SourceUnavailable``.
        """
        too_large = SourceTooLarge(
            f"{shown_url(self.url)} is larger than {most_bytes} bytes, which is the limit"
        )
        if (self.length_bytes or 0) > most_bytes:
            raise too_large
        come_bytes = 0
        while come_bytes != self.length_bytes:
            self._deadline.left_s()
            left_bytes = _PIECE_BYTES if self.length_bytes is None else self.length_bytes - come_bytes
            with translated(self.url, self._deadline):
                # What has come, not as much as fits: a chunk may claim any length, also one below zero.
                piece = self._response.read1(min(_PIECE_BYTES, left_bytes))
            if not piece:
                # A body without a length also ends where the deadline broke it off.
                self._deadline.left_s()
                if self.length_bytes is not None:
                    raise SourceDamaged(f"{shown_url(self.url)} ended early")
                return
            come_bytes += len(piece)
            if come_bytes > most_bytes:
                raise too_large
            yield piece

    def document(self, most_bytes: int) -> bytes:
        """The whole body, decoded, at most ``most_bytes`` before and after. Raises as ``pieces`` does."""
        if self.content_encoding not in ("identity", "", "gzip", "x-gzip"):
            raise SourceDamaged(
                f"{shown_url(self.url)} is sent as {self.content_encoding[:40]!r}, which was not asked for"
            )
        body = b"".join(self.pieces(most_bytes))
        if self.content_encoding in ("identity", ""):
            return body
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            unpacked = unpacker.decompress(body, most_bytes + 1)
        except zlib.error as error:
            raise SourceDamaged(f"{shown_url(self.url)} is sent as gzip, and is none: {error}") from error
        if len(unpacked) > most_bytes:
            raise SourceTooLarge(
                f"{shown_url(self.url)} unpacks to more than {most_bytes} bytes, which is the limit"
            )
        if not unpacker.eof:
            raise SourceDamaged(f"{shown_url(self.url)} ended early")
        return unpacked


class Web:
    """The requests of one source, all of which follow from the URL that a person named.

    ``first`` is that URL; without one (an index that is a file of this machine) everything counts as named
    by that person's own machine: no token is sent, and private addresses are allowed.
    """

    def __init__(self, first: str | None, options: FetchOptions, deadline: Deadline) -> None:
        self._options = options
        self.deadline = deadline
        self._first = None if first is None else origin_of(checked_url(first, "http", "https"))
        self._private_allowed: bool | None = True if options.allow_private or first is None else None
        self._token = options.token() if first is not None else ""
        # A name leads where it led first: else it could be judged by one answer and connected to by another.
        self._resolved: dict[Origin, tuple[str, ...]] = {}
        self._connector = Connector(deadline, options.idle_timeout_s)

    @property
    def keeps_out(self) -> bool:
        """Whether it may not lead to private addresses; known once it asked for an address."""
        return not self._private_allowed

    def check(self, url: str) -> None:
        """Hold a URL against the rules without asking its server, which may be away.

        Raises ``SourceInvalid``, ``SourceRefused``.
        """
        parts = checked_url(url, "http", "https")
        self._refuse_plain(parts, url)
        try:
            self.addresses(origin_of(parts))
        except SourceUnavailable:
            self.deadline.left_s()

    @contextmanager
    def get(self, url: str, *, accept: str = "*/*", compressed: bool = False) -> Iterator[Answer]:
        """Ask for ``url`` and open the answer, over at most five redirects.

        Raises ``SourceRefused``, ``SourceNotFound``, ``SourceUnavailable``, ``SourceDamaged``.
        """
        asked = url
        for _ in range(MOST_REDIRECTS + 1):
            parts = checked_url(url, "http", "https")
            with self._response(parts, url, accept, "gzip" if compressed else "identity") as response:
                if response.status not in _REDIRECTS:
                    _check_status(response.status, url, has_token=bool(self._token))
                    yield Answer(response, url, self.deadline)
                    return
                url = self._next(parts, url, response.headers.get("Location", ""))
        raise SourceRefused(f"{shown_url(asked)} leads on more than {MOST_REDIRECTS} times")

    def addresses(self, origin: Origin) -> tuple[str, ...]:
        """The addresses of a server that may be connected to.

        None where a proxy is asked for a name. Raises ``SourceRefused``, ``SourceUnavailable``.
        """
        # Behind a proxy nobody here knows where a name leads; only an address that is written out is judged.
        found = self._resolved.get(origin)
        if found is None:
            found = resolve(origin, self.deadline) if proxy_for(origin) is None else written_out(origin)
            self._resolved[origin] = found
        if self._private_allowed is None:
            # Decided once, by the server that was named: who names one of his own network means it.
            self._private_allowed = bool(found) and all(map(is_private, found))
        return found if self._private_allowed or not found else public_only(origin, found)

    def _refuse_plain(self, parts: SplitResult, url: str) -> None:
        if parts.scheme == "http" and not self._options.allow_http:
            raise plain_http(url)

    def _next(self, parts: SplitResult, url: str, location: str) -> str:
        if not location:
            raise SourceDamaged(f"{shown_url(url)} leads on, and does not say where to")
        # Bytes that are not ASCII come as if they were Latin-1, and are meant to be repeated as they are.
        onward = joined(url, encoded(location.encode("latin-1", "replace")))
        leads_to = checked_url(onward, "http", "https")
        if parts.scheme == "https" and leads_to.scheme == "http" and not self._options.allow_http:
            raise SourceRefused(
                f"{shown_url(url)} leads on to {shown_url(onward)}, which is plain HTTP: allow that with "
                "--allow-http, or name another source"
            )
        return onward

    @contextmanager
    def _response(
        self, parts: SplitResult, url: str, accept: str, encoding: str
    ) -> Iterator[http.client.HTTPResponse]:
        origin = origin_of(parts)
        self._refuse_plain(parts, url)
        headers = {
            "Host": host_header(origin),
            "Accept": accept,
            "Accept-Encoding": encoding,
            "User-Agent": "longshore",
        }
        addresses = self.addresses(origin)
        proxy = proxy_for(origin)
        if self._token and origin == self._first:
            if origin.scheme == "http" and not (addresses and all(map(is_private, addresses))):
                raise SourceRefused(f"the token would go to {origin.host} over plain HTTP: write https")
            headers["Authorization"] = f"Bearer {self._token}"
        target = encoded((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if proxy is not None and origin.scheme == "http":
            target = f"http://{host_header(origin)}{target}"
            headers |= proxy.headers()
        connection = self._connector.connected(origin, addresses, url, proxy)
        try:
            # The answer of a server that will hang up takes the socket away from its connection.
            sock = connection.sock
            with ended_by(lambda: sock, self.deadline), translated(url, self.deadline):
                connection.request("GET", target, headers=headers)
                # Not urllib3's own way, which writes the whole URL into a log where a header is malformed.
                response = http.client.HTTPConnection.getresponse(connection)
            with closing(response), ended_by(lambda: sock, self.deadline):
                yield response
        finally:
            connection.close()


def _length(response: http.client.HTTPResponse, url: str) -> int | None:
    """How long the body is to be. Raises ``SourceDamaged``: with half of a length it could end anywhere."""
    if response.chunked:
        return None
    told = {each.strip() for each in ",".join(response.headers.get_all("Content-Length", [])).split(",")}
    length = told.pop()
    if not told and not length:
        return None
    if told or len(length) > _MOST_LENGTH_DIGITS or not (length.isascii() and length.isdigit()):
        raise SourceDamaged(f"{shown_url(url)} says how long it is in a way that cannot be read")
    return int(length)


def _check_status(status: int, url: str, *, has_token: bool) -> None:
    shown = shown_url(url)
    if status == http.client.OK:
        return
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN, http.client.PROXY_AUTHENTICATION_REQUIRED):
        advice = (
            "the token may not read it" if has_token else "name a token's variable with --source-token-env"
        )
        raise SourceRefused(f"{shown} may not be read ({status}): {advice}")
    if status in (http.client.NOT_FOUND, http.client.GONE):
        raise SourceNotFound(f"{shown} is not there ({status})")
    raise SourceUnavailable(f"{shown} cannot be had now: the server answered {status}")
