"""What is forbidden stays forbidden, also where its content is on this machine already."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from longshore_client.sources import (
    Checksum,
    FetchOptions,
    IndexSource,
    SourceInvalid,
    SourceRefused,
    UrlSource,
    fetch,
)

from .archives import packed
from .conftest import NewServer
from .indexes import archive_at, index_of
from .web_server import WebServer

BODY = b"bytes"
SHA256 = Checksum("sha256", hashlib.sha256(BODY).hexdigest())


@pytest.fixture(autouse=True)
def cached(server: WebServer, into: Path, plain: FetchOptions) -> str:
    """A URL whose content is kept."""
    url = server.serve("/x.tar", BODY)
    fetch(UrlSource(url, SHA256), into, plain).path.unlink()
    server.requests.clear()
    return url


def test_plain_http(cached: str, into: Path, plain: FetchOptions, server: WebServer) -> None:
    with pytest.raises(SourceRefused, match="--allow-http"):
        fetch(UrlSource(cached, SHA256), into, replace(plain, allow_http=False))
    assert not server.requests
    assert not list(into.iterdir())


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://user:s3cret@host.test/x.tar", SourceRefused),
        ("file:///etc/passwd", SourceInvalid),
        ("https://host.test:port/x.tar", SourceInvalid),
    ],
)
def test_what_is_no_url_to_be_fetched(
    url: str, kind: type[Exception], into: Path, plain: FetchOptions
) -> None:
    with pytest.raises(kind):
        fetch(UrlSource(url, SHA256), into, plain)


def test_a_private_address_that_a_public_index_names(
    new_server: NewServer,
    public_address: str,
    server: WebServer,
    into: Path,
    plain: FetchOptions,
    tmp_path: Path,
) -> None:
    body, checksum = packed(tmp_path, {"pack.yaml": b"ref: netops\n"})
    inside = server.serve("/n.tar.gz", body)
    fetch(UrlSource(inside, checksum), into, plain).path.unlink()
    server.requests.clear()
    index = index_of({"1.0.0": (str(checksum), [archive_at(inside)])})
    public = new_server(public_address)
    url = public.serve("/index.json", json.dumps(index).encode())
    with pytest.raises(SourceRefused, match="private address"):
        fetch(IndexSource("netops"), into, replace(plain, indexes=(url,)))
    assert not server.requests


def test_without_a_network_what_is_kept_is_still_there(into: Path, plain: FetchOptions) -> None:
    """A host that nobody can find at the moment is no reason to refuse."""
    assert fetch(UrlSource("https://nowhere.invalid/x.tar", SHA256), into, plain).path.read_bytes() == BODY
