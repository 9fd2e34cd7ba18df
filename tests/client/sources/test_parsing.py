"""What a text means as a source, and what could mean several things."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_client.sources import (
    Checksum,
    GitSource,
    IndexSource,
    NpmSource,
    PathSource,
    PypiSource,
    Source,
    SourceError,
    SourceInvalid,
    SourceKind,
    SourceNotFound,
    SourceRefused,
    UrlSource,
    parse_source,
)

DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("https://host.test/x.tar.gz", UrlSource("https://host.test/x.tar.gz")),
        ("http://host.test:8080/x?a=b", UrlSource("http://host.test:8080/x?a=b")),
        ("https://[2001:db8::1]/x", UrlSource("https://[2001:db8::1]/x")),
        (
            f"https://host.test/x#sha256={DIGITS}",
            UrlSource("https://host.test/x", Checksum("sha256", DIGITS)),
        ),
        ("git+https://host.test/a/b@v1.0", GitSource("https://host.test/a/b", "v1.0")),
        ("git+https://host.test/a/b#feature/x", GitSource("https://host.test/a/b", "feature/x")),
        ("git+https://host.test/a/b", GitSource("https://host.test/a/b")),
        ("https://host.test/a/b.git", GitSource("https://host.test/a/b.git")),
        ("https://host.test/a/b.git@main", GitSource("https://host.test/a/b.git", "main")),
        ("https://host.test/a/b.git#pkg@1.0.0", GitSource("https://host.test/a/b.git", "pkg@1.0.0")),
        ("ssh://git@host.test:2222/a/b@v1", GitSource("ssh://git@host.test:2222/a/b", "v1")),
        ("git+ssh://git@host.test/a/b", GitSource("ssh://git@host.test/a/b")),
        ("git@host.test:a/b.git", GitSource("git@host.test:a/b.git")),
        ("git@host.test:a/b.git#v1", GitSource("git@host.test:a/b.git", "v1")),
        ("git@host.test:a/b@v1", GitSource("git@host.test:a/b", "v1")),
        ("git+file:///srv/b.git@v1", GitSource("file:///srv/b.git", "v1")),
        ("npm:left-pad@1.3.0", NpmSource("left-pad", "1.3.0")),
        ("npm:left-pad", NpmSource("left-pad", "latest")),
        ("npm:left-pad@next", NpmSource("left-pad", "next")),
        ("npm:@types/node@^20", NpmSource("@types/node", "^20")),
        ("npm:@types/node", NpmSource("@types/node", "latest")),
        ("npm:left-pad@>=1.2, <2 || 3", NpmSource("left-pad", ">=1.2, <2 || 3")),
        ("pypi:requests==2.32.3", PypiSource("requests", "2.32.3")),
        ("pypi:zope.interface==7.0.1.post1", PypiSource("zope.interface", "7.0.1.post1")),
        ("netops", IndexSource("netops", "latest")),
        ("netops@1.4.0", IndexSource("netops", "1.4.0")),
        ("netops@latest", IndexSource("netops", "latest")),
        ("net_ops-2@^1.4", IndexSource("net_ops-2", "^1.4")),
    ],
)
def test_what_a_text_means(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("", SourceInvalid, "a source is"),
        ("a\nb", SourceInvalid, "a source is"),
        ("-rf", SourceInvalid, r"\./-rf"),
        ("--upload-pack=x", SourceInvalid, "option"),
        ("./nothing", SourceNotFound, "does not exist"),
        ("/nothing/here", SourceNotFound, "does not exist"),
        ("nothing.tar.gz", SourceNotFound, "no ref of an index"),
        ("NetOps", SourceNotFound, "no ref of an index"),
        ("owner/repository", SourceInvalid, r"git\+https://HOST/owner/repository@REF"),
        ("host.test:path", SourceInvalid, "several other things"),
        ("https://host.test/a/b#v1", SourceInvalid, r"git\+https://host\.test/a/b@REF"),
        ("https://host.test/x#sha256=12", SourceInvalid, "64 hexadecimal digits"),
        ("https://host.test/x#md5=12", SourceInvalid, "64 hexadecimal digits"),
        ("https:///x", SourceInvalid, "names no server"),
        ("https://-host.test/x", SourceInvalid, "names no server"),
        ("https://host.test:0/x", SourceInvalid, "names no server"),
        ("https://host.test:99999/x", SourceInvalid, "is no URL"),
        ("https://host.test/a b", SourceInvalid, "%20"),
        ("https://host.test\\@other.test/", SourceInvalid, "backslashes"),
        (f"https://host.test/{'a' * 9000}", SourceInvalid, "longer than"),
        ("file:///etc/passwd", SourceInvalid, "write its path"),
        ("ftp://host.test/x", SourceInvalid, "ftp"),
        ("git://host.test/x", SourceInvalid, r"git\+https"),
        ("git+ext::sh -c true", SourceInvalid, "no address of a repository"),
        ("git+file://host.test/x", SourceInvalid, "another machine"),
        ("git+https://host.test/a@-x", SourceInvalid, "looks like an option"),
        ("git+https://host.test/a#--upload-pack=x", SourceInvalid, "looks like an option"),
        ("git+https://host.test/a@v1#v2", SourceInvalid, "ref twice"),
        ("git+https://host.test/a@", SourceInvalid, "no git ref"),
        ("git+https://host.test/a#a..b", SourceInvalid, "no git ref"),
        ("git+https://host.test/a#a:b", SourceInvalid, "no git ref"),
        ("git+https://host.test/a#+main", SourceInvalid, "no git ref"),
        ("git+https://host.test/a#^main", SourceInvalid, "no git ref"),
        ("git+https://host.test/a#x*", SourceInvalid, "no git ref"),
        (f"git+https://host.test/a#{'a' * 256}", SourceInvalid, "no git ref"),
        ("ssh://-oProxyCommand=x/a", SourceInvalid, "names no server"),
        ("ssh://-oProxyCommand=x@host.test/a", SourceInvalid, "looks like an option"),
        ("git@-oProxyCommand=x:a", SourceInvalid, "no address of a repository"),
        ("git@host.test:-x", SourceInvalid, "no address of a repository"),
        ("-x@host.test:a", SourceInvalid, "no address of a repository"),
        ("npm:", SourceInvalid, "npm:NAME@VERSION"),
        ("npm:-x@1", SourceInvalid, "npm:NAME@VERSION"),
        ("npm:../x@1", SourceInvalid, "npm:NAME@VERSION"),
        ("npm:@scope@1", SourceInvalid, "npm:@SCOPE/NAME@VERSION"),
        ("npm:a/b@1", SourceInvalid, "npm:NAME@VERSION"),
        ("npm:a@", SourceInvalid, "behind the @"),
        ("npm:a@-x", SourceInvalid, "constraint"),
        ("npm:a@../b", SourceInvalid, "constraint"),
        ("pypi:requests", SourceInvalid, "pypi:NAME==VERSION"),
        ("pypi:requests@2.32.3", SourceInvalid, "pypi:NAME==VERSION"),
        ("pypi:requests>=2", SourceInvalid, "pypi:NAME==VERSION"),
        ("pypi:--pre==1", SourceInvalid, "pypi:NAME==VERSION"),
        ("pypi:../x==1", SourceInvalid, "pypi:NAME==VERSION"),
        ("netops@", SourceInvalid, "behind the @"),
        ("netops@x y", SourceInvalid, "constraint"),
    ],
)
def test_what_is_no_source(text: str, kind: type[SourceError], match: str) -> None:
    with pytest.raises(kind, match=match):
        parse_source(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://user:s3cret@host.test/x",
        "https://s3cret@host.test/x",
        "git+https://s3cret@host.test/x@v1",
        "git+ssh://git:s3cret@host.test/x",
        "https://host.test/x?token=s3cret#v1",
        "user:s3cret@host.test/x",
        "user:s3cret@host.test:x",
        "git+user:s3cret@host.test:x",
    ],
)
def test_credentials_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises((SourceRefused, SourceInvalid)) as raised:
        parse_source(text)
    assert "s3cret" not in str(raised.value)


def test_a_path_that_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("netops", "npm:left-pad@1.3.0", "git@host.test:a", "-x"):
        Path(name).mkdir()
        assert parse_source(name) == PathSource(Path(name), SourceKind.DIRECTORY)
    Path("netops.txt").write_text("text")
    assert parse_source("netops.txt") == PathSource(Path("netops.txt"), SourceKind.FILE)
    with tarfile.open("packed", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
    assert parse_source("packed") == PathSource(Path("packed"), SourceKind.ARCHIVE)


def test_what_is_neither_a_directory_nor_a_file() -> None:
    with pytest.raises(SourceInvalid, match="neither"):
        parse_source("/dev/null")


_PIECES = st.sampled_from(
    [
        "git+",
        "https://",
        "ssh://",
        "npm:",
        "pypi:",
        "@",
        "#",
        "==",
        ":",
        "/",
        "-",
        ".git",
        "host.test",
        "a",
        "1",
        "?",
        "%",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(_PIECES, max_size=9).map("".join)))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        source = parse_source(text)
    except SourceError:
        return
    assert not isinstance(source, GitSource) or not source.ref.startswith("-")
