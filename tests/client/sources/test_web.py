"""Servers that do everything wrong, and whom requests may go to."""

from __future__ import annotations

import gzip
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from longshore_client.sources import (
    FetchOptions,
    SourceDamaged,
    SourceError,
    SourceInvalid,
    SourceNotFound,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
    UrlSource,
    fetch,
)
from longshore_client.sources.documents import read_object
from longshore_client.sources.options import Deadline
from longshore_client.sources.web import MOST_REDIRECTS, Web
from tests.services.certificates import Authority

from .conftest import NewServer
from .web_server import WebServer

HEAD = b"HTTP/1.1 200 OK\r\n"


def _refused(url: str, into: Path, options: FetchOptions, kind: type[SourceError], match: str) -> SourceError:
    with pytest.raises(kind, match=match) as raised:
        fetch(UrlSource(url), into, options)
    assert not list(into.iterdir())
    return raised.value


def test_plain_http_only_where_it_is_allowed(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.serve("/x.tar", b"bytes")
    _refused(url, into, replace(plain, allow_http=False), SourceRefused, "--allow-http")
    assert not server.requests
    assert fetch(UrlSource(url), into, plain).path.read_bytes() == b"bytes"


def test_a_name_that_was_private_when_it_was_judged_is_not_public_when_it_is_asked(
    new_server: NewServer, names: dict[str, list[str]], public_address: str, plain: FetchOptions
) -> None:
    public = new_server(host=public_address)
    names["host.test"] = ["127.0.0.1", public_address]
    url = public.url("/x.tar", host="host.test")
    web = Web(url, plain, Deadline(20))
    web.check(url)
    with pytest.raises(SourceUnavailable), web.get(url):
        pass
    assert not public.requests


def test_https_speaks_to_the_server_by_its_name(
    new_server: NewServer, authority: Authority, names: dict[str, list[str]], into: Path
) -> None:
    secure = new_server(tls=authority.issue("packages.test", hosts=["packages.test"]))
    names["packages.test"] = names["other.test"] = ["127.0.0.1"]
    secure.serve("/x.tar", b"bytes")
    _refused(secure.url("/x.tar", host="other.test"), into, FetchOptions(), SourceRefused, "certificate")
    fetched = fetch(UrlSource(secure.url("/x.tar", host="packages.test")), into)
    assert fetched.path.read_bytes() == b"bytes"
    assert secure.requests[0].headers["host"] == f"packages.test:{secure.port}"


def test_a_certificate_that_nobody_vouches_for(
    new_server: NewServer, tmp_path: Path, into: Path, plain: FetchOptions
) -> None:
    unknown = Authority(tmp_path / "unknown")
    secure = new_server(tls=unknown.issue("x", hosts=["127.0.0.1"]))
    _refused(secure.serve("/x.tar", b""), into, plain, SourceRefused, "SSL_CERT_FILE")


def test_redirects_are_followed_so_far(server: WebServer, into: Path, plain: FetchOptions) -> None:
    for step in range(MOST_REDIRECTS + 1):
        server.redirect(f"/{step}", f"/{step + 1}", status=(301, 302, 303, 307, 308)[step % 5])
    server.serve(f"/{MOST_REDIRECTS + 1}", b"bytes")
    _refused(server.url("/0"), into, plain, SourceRefused, "more than 5 times")
    assert fetch(UrlSource(server.url("/1")), into, plain).path.read_bytes() == b"bytes"


@pytest.mark.parametrize(
    ("location", "kind", "match"),
    [
        ("file:///etc/passwd", SourceInvalid, "no URL that can be fetched"),
        ("http://user:secret@127.0.0.1/", SourceRefused, "credentials"),
        ("", SourceDamaged, "where to"),
        ("http://127.0.0.1:99999/", SourceInvalid, "is no URL"),
        ("ftp://127.0.0.1/x", SourceInvalid, "no URL that can be fetched"),
    ],
)
def test_redirects_that_lead_nowhere_good(
    server: WebServer, into: Path, plain: FetchOptions, location: str, kind: type[SourceError], match: str
) -> None:
    error = _refused(server.redirect("/a", location), into, plain, kind, match)
    assert "secret" not in str(error)


def test_paths_in_all_scripts(server: WebServer, into: Path, plain: FetchOptions) -> None:
    server.serve("/gr%C3%B6%C3%9Fe%20x.tar?a=%C3%A4", b"bytes")
    server.raw("/a", "HTTP/1.1 302 Found\r\nLocation: /größe x.tar?a=ä\r\n\r\n".encode())
    fetch(UrlSource(server.url("/a")), into, plain).path.unlink()
    fetched = fetch(UrlSource(server.url("/größe%20x.tar?a=ä")), into, plain)
    assert fetched.path.name == "größe x.tar"


def test_a_redirect_from_https_to_plain_http(
    new_server: NewServer, authority: Authority, server: WebServer, into: Path
) -> None:
    secure = new_server(tls=authority.issue("x", hosts=["127.0.0.1"]))
    url = secure.redirect("/a", server.serve("/x.tar", b"bytes"))
    _refused(url, into, FetchOptions(), SourceRefused, "plain HTTP")
    assert not server.requests
    assert fetch(UrlSource(url), into, FetchOptions(allow_http=True)).path.read_bytes() == b"bytes"


def test_a_public_server_leads_to_no_private_address(
    new_server: NewServer, public_address: str, server: WebServer, into: Path, plain: FetchOptions
) -> None:
    url = new_server(public_address).redirect("/a", server.serve("/x.tar", b"bytes"))
    _refused(url, into, plain, SourceRefused, "private address")
    assert not server.requests
    assert fetch(UrlSource(url), into, replace(plain, allow_private=True)).path.read_bytes() == b"bytes"


def test_a_server_of_ones_own_network_may_lead_to_another(
    new_server: NewServer, public_address: str, server: WebServer, into: Path, plain: FetchOptions
) -> None:
    del public_address
    url = server.redirect("/a", new_server("127.0.0.2").serve("/x.tar", b"bytes"))
    assert fetch(UrlSource(url), into, plain).path.read_bytes() == b"bytes"


def test_a_name_that_becomes_private_later_is_not_followed_there(
    new_server: NewServer,
    public_address: str,
    names: dict[str, list[str]],
    server: WebServer,
    into: Path,
    plain: FetchOptions,
) -> None:
    first = new_server(public_address)
    names["rebound.test"] = [public_address, "127.0.0.1"]
    first.redirect("/a", server.url("/x.tar", host="rebound.test"))
    server.serve("/x.tar", b"secret")
    _refused(first.url("/a", host="rebound.test"), into, plain, SourceRefused, "private address")
    assert not server.requests


def test_an_answer_without_an_end(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.dripping("/x.tar", HEAD + b"\r\n", bytes(300_000))
    _refused(url, into, plain, SourceTooLarge, "1048576 bytes")


def test_an_answer_that_says_it_is_too_large(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.silent("/x.tar", HEAD + b"Content-Length: 1048577\r\n\r\n")
    _refused(url, into, plain, SourceTooLarge, "limit")


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"])
def test_an_answer_that_drips(server: WebServer, into: Path, plain: FetchOptions, head: bytes) -> None:
    drop = b"X: y\r\n" if head == HEAD else b"1\r\n.\r\n"
    url = server.dripping("/x.tar", head, b"H" if head == b"" else drop)
    _refused(url, into, replace(plain, timeout_s=0.4), SourceUnavailable, "took longer than 0.4 s")


@pytest.mark.parametrize("head", [b"", HEAD + b"Content-Length: 10\r\n\r\n12345"])
def test_a_silent_server(server: WebServer, into: Path, plain: FetchOptions, head: bytes) -> None:
    url = server.silent("/x.tar", head)
    _refused(url, into, replace(plain, idle_timeout_s=0.2), SourceUnavailable, "did not answer in time")


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 10\r\n\r\n12345",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"220 mail.test ESMTP\r\n",
        b"",
    ],
)
def test_an_answer_that_breaks_off(server: WebServer, into: Path, plain: FetchOptions, answer: bytes) -> None:
    with pytest.raises((SourceDamaged, SourceUnavailable), match=r"ended early|cannot be reached"):
        fetch(UrlSource(server.raw("/x.tar", answer)), into, plain)


def test_a_server_that_is_not_there(new_server: NewServer, into: Path, plain: FetchOptions) -> None:
    gone = new_server()
    gone.close()
    _refused(gone.url("/x.tar"), into, plain, SourceUnavailable, "Connection refused")


def test_a_host_that_nobody_knows(into: Path, plain: FetchOptions) -> None:
    _refused("https://nowhere.invalid/x.tar", into, plain, SourceUnavailable, r"'nowhere\.invalid'")


@pytest.mark.parametrize(
    ("status", "kind", "match"),
    [
        (401, SourceRefused, "--source-token-env"),
        (403, SourceRefused, "--source-token-env"),
        (404, SourceNotFound, "not there"),
        (410, SourceNotFound, "not there"),
        (429, SourceUnavailable, "429"),
        (500, SourceUnavailable, "500"),
        (204, SourceUnavailable, "204"),
        (206, SourceUnavailable, "206"),
    ],
)
def test_what_a_server_may_answer_instead(
    server: WebServer, into: Path, plain: FetchOptions, status: int, kind: type[SourceError], match: str
) -> None:
    _refused(server.serve("/x.tar?token=secret", b"", status=status), into, plain, kind, match)


def test_no_message_shows_what_stands_behind_the_question_mark(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    error = _refused(server.url("/x.tar?sig=secret"), into, plain, SourceNotFound, r"x\.tar\?…")
    assert "secret" not in str(error)
    fetched = fetch(UrlSource(server.serve("/x.tar?sig=secret", b"bytes")), into, plain)
    assert "secret" not in repr(fetched)


def test_a_web_page_is_no_payload(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.serve("/owner/repository", b"<html>", Content_Type="text/html; charset=utf-8")
    _refused(url, into, plain, SourceRefused, r"git\+http")


def test_an_encoding_that_was_not_asked_for(server: WebServer, into: Path, plain: FetchOptions) -> None:
    bomb = gzip.compress(bytes(4 << 20))
    url = server.serve("/x.tar", bomb, Content_Encoding="gzip")
    _refused(url, into, plain, SourceRefused, "not as it is")
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_an_archive_whose_compression_is_called_an_encoding(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    packed = gzip.compress(b"bytes")
    fetched = fetch(UrlSource(server.serve("/x.tgz", packed, Content_Encoding="x-gzip")), into, plain)
    assert fetched.path.read_bytes() == packed


def _read(url: str, options: FetchOptions) -> dict[str, object]:
    return read_object(Web(url, options, Deadline(20)), url, accept="application/json")


def test_documents_may_be_compressed(server: WebServer, plain: FetchOptions) -> None:
    url = server.serve("/a", gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")
    assert _read(url, plain) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "encoding", "match"),
    [
        (b"{", "identity", "JSON"),
        (b"[]", "identity", "JSON"),
        (b"[" * 100_000, "identity", "JSON"),
        (b"{}", "br", "not asked for"),
        (b"{}", "gzip", "is none"),
        (gzip.compress(b"{}", mtime=0)[:-6], "gzip", "ended early"),
    ],
)
def test_documents_that_are_none(
    server: WebServer, plain: FetchOptions, body: bytes, encoding: str, match: str
) -> None:
    with pytest.raises(SourceDamaged, match=match):
        _read(server.serve("/a", body, Content_Encoding=encoding), plain)


def test_a_document_that_is_a_bomb(server: WebServer, plain: FetchOptions) -> None:
    url = server.serve("/a", gzip.compress(bytes(1 << 20)), Content_Encoding="gzip")
    web = Web(url, plain, Deadline(20))
    with web.get(url, compressed=True) as answer, pytest.raises(SourceTooLarge, match="unpacks to more"):
        answer.document(100_000)


def test_the_token_goes_to_the_first_server_alone(
    new_server: NewServer,
    server: WebServer,
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PACKAGES_TOKEN", "s3cret")
    other = new_server()
    url = server.redirect("/a", server.redirect("/b", other.serve("/x.tar", b"bytes")))
    fetched = fetch(UrlSource(url), into, replace(plain, token_env="PACKAGES_TOKEN"))
    assert [each.headers.get("authorization") for each in server.requests] == ["Bearer s3cret"] * 2
    assert "authorization" not in other.requests[0].headers
    assert "s3cret" not in repr(fetched)


def test_the_token_never_goes_out_unencrypted(
    new_server: NewServer,
    public_address: str,
    into: Path,
    plain: FetchOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PACKAGES_TOKEN", "s3cret")
    public = new_server(public_address)
    options = replace(plain, token_env="PACKAGES_TOKEN")
    error = _refused(public.serve("/x.tar", b""), into, options, SourceRefused, "over plain HTTP")
    assert "s3cret" not in str(error)
    assert not public.requests


@pytest.mark.parametrize("name", ["s3cret-token", "a=b", "a b", "schlüssel\ud800"])
def test_a_token_where_a_variables_name_is_to_be(name: str, into: Path, plain: FetchOptions) -> None:
    options = replace(plain, token_env=name)
    error = _refused("https://packages.invalid/x", into, options, SourceRefused, "no variable's name")
    assert name not in str(error)


@pytest.mark.parametrize("token", [None, "", "two words", "schlüssel", "a\nX-Other: b"])
def test_a_token_that_is_none(
    token: str | None, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PACKAGES_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("PACKAGES_TOKEN", token)
    options = replace(plain, token_env="PACKAGES_TOKEN")
    error = _refused("https://packages.invalid/x", into, options, SourceRefused, "PACKAGES_TOKEN")
    assert not token or token not in str(error)


def test_how_far_it_is_is_told(server: WebServer, into: Path, plain: FetchOptions) -> None:
    told: list[tuple[int, int | None]] = []
    fetch(
        UrlSource(server.serve("/x.tar", bytes(600_000))),
        into,
        plain,
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (600_000, 600_000)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_nobody_asks_beforehand(server: WebServer, into: Path, plain: FetchOptions) -> None:
    """What a server says to HEAD and what it sends to GET may differ, so only what is sent counts."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(HEAD + b"Content-Length: 5\r\n\r\n")
        handler.wfile.write(b"" if handler.command == "HEAD" else b"bytes")

    server.answers["/x.tar"] = answer
    fetch(UrlSource(server.url("/x.tar")), into, plain)
    assert [each.method for each in server.requests] == ["GET"]
