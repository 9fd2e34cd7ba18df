"""A URL that cannot be read may hold a password, wherever it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from longshore_client.sources import (
    FetchOptions,
    GitSource,
    IndexSource,
    NpmSource,
    PypiSource,
    SourceError,
    UrlSource,
    fetch,
    parse_source,
)
from longshore_client.sources.urls import bare_url, shown_url

from .indexes import archive_at, index_of, written
from .web_server import WebServer

MALFORMED = [
    "https://user:s3cret",
    "https://user:s3cret@host.test:port/",
    "https://user:s3cret@host.test:99999/",
    "https://user:s3cret@[::1/",
    "https://user:s3cret@ho\u2100st/",
    "https://user:s3/cret@host.test/",
    "https://user:s3?cret@host.test/",
    "https://user:s3#cret@host.test/",
    "https:/user:s3cret@host.test/",
    "https//user:s3/cret@host.test/",
    "ssh://git:s3/cret@host.test/x",
    "ftp://user:s3/cret@host.test/x",
]


def _told(error: BaseException | None) -> Iterator[str]:
    """Everything that an error tells, with what it came from and was handled while."""
    while error is not None:
        yield from (str(error), repr(error.args), *getattr(error, "__notes__", ()))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("prefix", ["", "git+", "npm:", "pypi:", "pypi:a==", "npm:a@", "a@"])
def test_as_a_source(prefix: str) -> None:
    for url in MALFORMED:
        with pytest.raises(SourceError) as raised:
            parse_source(prefix + url)
        assert not [told for told in _told(raised.value) if "s3" in told or "cret" in told]


def test_as_a_source_of_the_library(into: Path, plain: FetchOptions) -> None:
    for source in (
        source
        for url in MALFORMED
        for source in (UrlSource(url), GitSource(url), GitSource("https://host.test/x", url))
    ):
        with pytest.raises(SourceError) as raised:
            fetch(source, into, plain)
        assert not [told for told in _told(raised.value) if "s3" in told]


def test_as_an_index(into: Path, plain: FetchOptions) -> None:
    for url in MALFORMED:
        with pytest.raises(SourceError) as raised:
            fetch(IndexSource("netops"), into, replace(plain, indexes=(url,)))
        assert not [told for told in _told(raised.value) if "s3" in told]


@pytest.mark.parametrize("url", MALFORMED)
def test_as_what_an_index_names(
    url: str, into: Path, plain: FetchOptions, tmp_path: Path, server: WebServer
) -> None:
    places = [archive_at(url), {"type": "git", "url": url, "ref": "main"}]
    places += [{"type": "git", "url": "https://host.test/x", "ref": url}]
    index = index_of({"1.0.0": (f"sha256:{'0' * 64}", places)})
    behind = server.serve("/index.json", b"")
    own = written(tmp_path / "index.json", index)
    server.serve("/index.json", (tmp_path / "index.json").read_bytes())
    # Behind a URL the last of them is the path of a file beside the index, and nothing else.
    for location in (own,) if url.startswith("https//") else (own, behind):
        with pytest.raises(SourceError) as raised:
            fetch(IndexSource("netops"), into, replace(plain, indexes=(location,)))
        assert not [told for told in _told(raised.value) if "s3" in told]


@pytest.mark.parametrize("url", MALFORMED)
def test_as_a_registry(url: str, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", url)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    for source in (NpmSource("widget"), PypiSource("widget", "1.0")):
        with pytest.raises(SourceError) as raised:
            fetch(source, into, plain)
        assert not [told for told in _told(raised.value) if "s3" in told]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host.test/a/b.git@main", "https://host.test/a/b.git@main"),
        ("https://registry.test/@scope/x?t=1#f", "https://registry.test/@scope/x?…"),
        ("https://u:p@host.test:8443/x", "https://host.test:8443/x"),
        ("ssh://git@host.test/x", "ssh://git@host.test/x"),
        ("git@host.test:a/b", "git@host.test:a/b"),
        ("packs/n.tar.gz?t=1", "packs/n.tar.gz?…"),
        ("/srv/@x/index.json", "/srv/@x/index.json"),
        ("file:///srv/b", "file:///srv/b"),
    ],
)
def test_what_holds_none_is_told_in_full(url: str, shown: str) -> None:
    assert shown_url(url) == bare_url(url) == shown
