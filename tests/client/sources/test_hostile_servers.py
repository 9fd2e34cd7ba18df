"""Servers that answer with what no parser expects, never end, or lead a request in circles."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from longshore_client.sources import (
    FetchOptions,
    GitSource,
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
    UrlSource,
    connections,
    fetch,
)
from longshore_client.sources import documents as documents_module
from longshore_client.sources.documents import read_object
from longshore_client.sources.options import Deadline
from longshore_client.sources.web import Web

from .web_server import WebServer

HEAD = b"HTTP/1.1 200 OK\r\n"


def _refused(url: str, into: Path, options: FetchOptions, kind: type[SourceError], match: str) -> SourceError:
    with pytest.raises(kind, match=match) as raised:
        fetch(UrlSource(url), into, options)
    assert not list(into.iterdir())
    return raised.value


@pytest.mark.parametrize(
    "length",
    [b"9" * 5000, b"18446744073709551616", b"abc", b"-5", b"+5", b"5_0", b"0x5", b"\xb2", b"5,", b"5 5"],
    ids=[
        "endless",
        "too_long",
        "word",
        "negative",
        "plus",
        "underscore",
        "hex",
        "superscript",
        "comma",
        "two",
    ],
)
def test_lengths_that_are_none(server: WebServer, into: Path, plain: FetchOptions, length: bytes) -> None:
    url = server.raw("/x.tar", HEAD + b"Content-Length: " + length + b"\r\n\r\n12345")
    _refused(url, into, plain, SourceDamaged, "how long it is")


@pytest.mark.parametrize(("lengths", "fits"), [("5, 5", True), ("5, 6", False)])
def test_a_length_that_is_told_twice(
    server: WebServer, into: Path, plain: FetchOptions, lengths: str, fits: bool
) -> None:
    url = server.raw("/x.tar", HEAD + f"Content-Length: {lengths}\r\n\r\n12345".encode())
    if fits:
        assert fetch(UrlSource(url), into, plain).path.read_bytes() == b"12345"
    else:
        _refused(url, into, plain, SourceDamaged, "how long it is")


@pytest.mark.parametrize(
    "location",
    [
        "http://[::1",
        "http://[zz]/",
        "http://127.0.0.1:s3cret/",
        "http://user:s3cret@127.0.0.1:x/",
        "//user:s3cret@[",
        "http://user:s3/cret@127.0.0.1/",
        "http://a..b/",
        f"http://{'a' * 64}.test/",
        f"http://{'a.' * 200}test/",
        "?" + "x" * 9000,
    ],
    ids=lambda location: location[:30],
)
def test_redirects_to_what_is_no_url(
    server: WebServer, into: Path, plain: FetchOptions, location: str
) -> None:
    error: BaseException | None = _refused(
        server.redirect("/a", location), into, plain, SourceInvalid, "no URL|names no server"
    )
    while error is not None:
        assert "s3" not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("target", ["file:///etc/passwd", "file:x", "javascript:0", "git://127.0.0.1/x"])
def test_redirects_away_from_the_web(server: WebServer, into: Path, plain: FetchOptions, target: str) -> None:
    _refused(server.redirect("/a", target), into, plain, SourceInvalid, "no URL that can be fetched")


def test_redirects_in_circles(server: WebServer, into: Path, plain: FetchOptions) -> None:
    server.redirect("/b", "/a")
    _refused(server.redirect("/a", "/b"), into, plain, SourceRefused, "more than 5 times")
    assert len(server.requests) == 6


def test_a_chunk_below_zero_is_not_all_there_is(server: WebServer, into: Path, plain: FetchOptions) -> None:
    """Python's own client takes such a chunk for everything that ever comes, and keeps it in memory."""
    sent_mib = 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent_mib
        handler.wfile.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n")
        while sent_mib < 64 and not server.ended.is_set():
            handler.wfile.write(bytes(1 << 20))
            sent_mib += 1

    server.answers["/x.tar"] = answer
    _refused(server.url("/x.tar"), into, plain, SourceTooLarge, "1048576 bytes")
    assert sent_mib < 64


@pytest.mark.parametrize(
    "line", [b"X: y\r\n" * 10_000, b"X: " + b"y" * 200_000 + b"\r\n"], ids=["many", "long"]
)
def test_heads_without_an_end(server: WebServer, into: Path, plain: FetchOptions, line: bytes) -> None:
    _refused(server.dripping("/x.tar", HEAD, line), into, plain, SourceDamaged, "no HTTP")


def test_what_is_malformed_is_in_no_log(
    server: WebServer, into: Path, plain: FetchOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """A library that writes such a head down writes the whole URL beside it."""
    url = server.raw("/x.tar?sig=s3cret", HEAD + b"Content-Length: 2\r\nno header\r\n\r\nok")
    assert fetch(UrlSource(url), into, plain).path.read_bytes().endswith(b"ok")
    assert "s3cret" not in caplog.text


def test_a_server_may_think_for_longer_than_it_may_take_to_connect(
    server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_CONNECT_TIMEOUT_S", 0.2)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        server.ended.wait(0.4)
        handler.wfile.write(HEAD + b"Content-Length: 2\r\n\r\nok")

    server.answers["/x.tar"] = answer
    assert fetch(UrlSource(server.url("/x.tar")), into, plain).path.read_bytes() == b"ok"


def test_an_answer_that_is_always_about_to_come(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.dripping("/x.tar", b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    _refused(url, into, replace(plain, timeout_s=0.3), SourceUnavailable, "took longer than 0.3 s")


def test_one_deadline_for_all_redirects(server: WebServer, into: Path, plain: FetchOptions) -> None:
    """Each step is quick enough for itself."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        server.ended.wait(0.15)
        number = int(handler.path.removeprefix("/"))
        handler.wfile.write(f"HTTP/1.0 302 Found\r\nLocation: /{number + 1}\r\n\r\n".encode())

    for number in range(6):
        server.answers[f"/{number}"] = answer
    _refused(server.url("/0"), into, replace(plain, timeout_s=0.4), SourceUnavailable, "took longer")
    assert len(server.requests) < 6


def test_a_name_server_that_never_answers(
    into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def never(*_: object, **__: object) -> list[object]:
        ended.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    try:
        _refused("http://host.test/x", into, replace(plain, timeout_s=0.2), SourceUnavailable, "took longer")
    finally:
        ended.set()


def test_a_document_of_nothing_but_brackets(
    server: WebServer, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take thirty times as much memory as it has bytes."""
    monkeypatch.setattr(documents_module, "MOST_VALUES", 10_000)
    url = server.serve("/a", b'{"a":[' + b"[]," * 10_000 + b"0]}")
    with pytest.raises(SourceTooLarge, match="more than 10000 values"):
        read_object(Web(url, plain, Deadline(20)), url, accept="application/json")


def test_numbers_that_are_too_long_for_python(server: WebServer, plain: FetchOptions) -> None:
    url = server.serve("/a", b'{"a":' + b"9" * 5000 + b"}")
    with pytest.raises(SourceDamaged, match="JSON"):
        read_object(Web(url, plain, Deadline(20)), url, accept="application/json")


@pytest.mark.parametrize(
    "url", ["ext::sh -c true", "--upload-pack=x", "fd::1", "file://host/x", "https://h/\0"]
)
def test_repositories_that_were_never_parsed(into: Path, plain: FetchOptions, url: str) -> None:
    with pytest.raises(SourceInvalid):
        fetch(GitSource(url, "main"), into, plain)
    assert not list(into.iterdir())
