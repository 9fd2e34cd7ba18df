"""HTTP/1.1 messages as the proxy between a client and a store reads and writes them, on asyncio's streams."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from http.client import responses
from urllib.parse import unquote, urlsplit

Headers = tuple[tuple[str, str], ...]


def header(headers: Headers, name: str) -> str:
    """A header's value, an empty string where there is none."""
    return next((value for key, value in headers if key.lower() == name), "")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an S3 store that names its buckets in the path; the body is read apart."""

    method: str
    target: str
    headers: Headers

    @property
    def size_bytes(self) -> int:
        """The size of the body that was announced."""
        return int(header(self.headers, "content-length") or 0)

    @property
    def key(self) -> str:
        """The object's key, empty in requests on the bucket."""
        return unquote(urlsplit(self.target).path).lstrip("/").partition("/")[2]

    @property
    def operation(self) -> str:
        """What is asked for, by the name of the ``BlobStore``'s method."""
        if self.method == "GET":
            return "get" if self.key else "list"
        return {"PUT": "put", "HEAD": "stat", "DELETE": "delete"}.get(self.method, self.method)

    def head(self) -> bytes:
        """As it goes to the store, on a connection of its own."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *_lines(self.headers, without="connection")]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its whole body; to HEAD ``size_bytes`` tells of a body that does not come."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    size_bytes: int | None = None

    def with_body(self, body: bytes) -> Answer:
        """The same with another body and the length to match."""
        return replace(self, body=body, size_bytes=None)

    def head(self) -> bytes:
        """As it goes to the client."""
        size = len(self.body) if self.size_bytes is None else self.size_bytes
        kept = [line for line in _lines(self.headers, without="connection") if not _tells_length(line)]
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}", *kept]
        if self.status != 204:
            lines.append(f"Content-Length: {size}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request's head; None at the end of the connection."""
    head = await _read_head(reader)
    if head is None:
        return None
    method, target, _ = head[0].split(" ", 2)
    return Request(method, target, head[1])


async def read_answer(reader: asyncio.StreamReader, method: str) -> Answer:
    """A whole answer to a request of ``method``. Raises ``ConnectionError`` when it breaks off."""
    try:
        head = await _read_head(reader)
        if head is None:
            raise ConnectionResetError("the store gave no answer")
        status, headers = int(head[0].split(" ", 2)[1]), head[1]
        told = header(headers, "content-length")
        if method == "HEAD":
            return Answer(status, headers, size_bytes=int(told or 0))
        if header(headers, "transfer-encoding").lower() == "chunked":
            return Answer(status, headers, await _read_chunked(reader))
        return Answer(status, headers, await reader.readexactly(int(told or 0)))
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the store's answer broke off") from error


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, Headers] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionResetError("a head broke off") from error
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, tuple((name.strip(), value.strip()) for name, _, value in pairs)


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


def _lines(headers: Headers, *, without: str) -> list[str]:
    return [f"{name}: {value}" for name, value in headers if name.lower() != without]


def _tells_length(line: str) -> bool:
    return line.partition(":")[0].lower() in ("content-length", "transfer-encoding")
