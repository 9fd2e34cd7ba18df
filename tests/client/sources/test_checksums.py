"""Checksums as they are written, and cached downloads that are something else than they should be."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from longshore_bundles import UnpackLimits
from longshore_client.sources import (
    Checksum,
    Deadline,
    FetchOptions,
    SourceDamaged,
    SourceInvalid,
    SourceKind,
    SourceNotFound,
    SourceUnavailable,
    UrlSource,
    downloads,
    fetch,
    parse_source,
)

from .archives import archive_of, packed
from .web_server import WebServer

BODY = b"bytes"
SHA256 = Checksum("sha256", hashlib.sha256(BODY).hexdigest())


def _integrity(algorithm: str, body: bytes = BODY) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, body).digest()).decode()}"


def test_how_checksums_are_written() -> None:
    assert Checksum.parse(f"sha256:{SHA256.digits.upper()}") == SHA256
    assert Checksum.parse(f"sha256={SHA256.digits}") == SHA256
    for wrong in (
        "",
        "sha256",
        SHA256.digits,
        f"sha256:{SHA256.digits[1:]}",
        f"md5:{'0' * 32}",
        f"sha1:{'0' * 40}",
    ):
        with pytest.raises(SourceInvalid, match="is no checksum"):
            Checksum.parse(wrong)


def test_of_an_integrity_the_strongest_counts() -> None:
    sha512 = Checksum("sha512", hashlib.sha512(BODY).hexdigest())
    assert Checksum.strongest_of_integrity(_integrity("sha512")) == sha512
    assert Checksum.strongest_of_integrity(f"{_integrity('sha256')} {_integrity('sha512')}?x") == sha512
    for weak in ("", "sha1-AAAA", _integrity("md5"), "sha512-AAAA", "sha512-*", "sha512"):
        assert Checksum.strongest_of_integrity(weak) is None


def test_what_has_another_checksum_is_refused(server: WebServer, into: Path, plain: FetchOptions) -> None:
    url = server.serve("/x.tar", b"other")
    with pytest.raises(SourceDamaged, match=f"not {SHA256}"):
        fetch(UrlSource(url, SHA256), into, plain)
    assert not list(into.iterdir())


def test_an_archive_that_would_be_refused_has_no_checksum(
    server: WebServer, into: Path, plain: FetchOptions
) -> None:
    url = server.serve("/x.tar.gz", archive_of({"../escapes": b"x"}))
    with pytest.raises(SourceDamaged, match="of its content none, PATH_ESCAPES"):
        fetch(UrlSource(url, SHA256), into, plain)


def test_what_others_serve_is_unpacked_within_a_limit(
    server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of({"a": bytes(5000)})
    small = UnpackLimits(max_total_bytes=1000)
    monkeypatch.setattr(downloads, "FETCHED_LIMITS", small)
    with pytest.raises(SourceDamaged, match="of its content none, TOTAL_TOO_LARGE"):
        fetch(UrlSource(server.serve("/x.tar.gz", archive), SHA256), into, plain)
    # What lies on this machine has no such limit.
    (into / "x.tar.gz").write_bytes(archive)
    with pytest.raises(SourceDamaged, match="of its content sha256:"):
        fetch(parse_source(str(into / "x.tar.gz")), into, replace(plain, checksum=SHA256))


def test_the_time_holds_for_looking_into_it_too(
    server: WebServer, into: Path, plain: FetchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(self: Deadline) -> float:
        # Its file is there whole.
        if any(each.stat().st_size == len(archive) for each in into.iterdir()):
            raise self.error()
        return left_s(self)

    archive, content = archive_of({"b": bytes(5000), "a": b""}), Checksum("sha256", "0" * 64)
    url, left_s = server.serve("/x.tar.gz", archive), Deadline.left_s
    with pytest.raises(SourceDamaged):
        fetch(UrlSource(url, content), into, plain)
    monkeypatch.setattr(Deadline, "left_s", late)
    with pytest.raises(SourceUnavailable, match="took longer than"):
        fetch(UrlSource(url, content), into, plain)
    assert not list(into.iterdir())


def test_an_archive_may_have_the_checksum_of_its_content(
    server: WebServer, into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    archive, content = packed(tmp_path, {"a": b"1", "b/c": b"2"})
    url = server.serve("/x.tar.gz", archive)
    provenance = fetch(UrlSource(url), into, replace(plain, checksum=content)).provenance
    assert provenance.verified
    assert provenance.verified_by == "checksum given"
    assert provenance.checksum == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    other = Checksum("sha256", "0" * 64)
    with pytest.raises(SourceDamaged, match="another checksum"):
        fetch(UrlSource(server.serve("/y.tar.gz", archive)), into, replace(plain, checksum=other))


def test_paths_are_held_against_a_checksum_too(tmp_path: Path, into: Path) -> None:
    archive, content = packed(tmp_path, {"a": b"1"})
    file = tmp_path / "a.tar.gz"
    file.write_bytes(archive)
    for path, kind in ((tmp_path / "tree", SourceKind.DIRECTORY), (file, SourceKind.ARCHIVE)):
        source = parse_source(str(path))
        plain = fetch(source, into).provenance
        assert (plain.kind, plain.url, plain.checksum, plain.verified) == (kind, str(path), "", False)
        assert fetch(source, into, FetchOptions(checksum=content)).provenance.verified
        with pytest.raises(SourceDamaged):
            fetch(source, into, FetchOptions(checksum=SHA256))
    assert not list(into.iterdir())


def test_what_was_verified_comes_from_the_cache(
    server: WebServer, into: Path, plain: FetchOptions, cache: Path
) -> None:
    source = UrlSource(server.serve("/x.tar", BODY), SHA256)
    first = fetch(source, into, plain)
    first.path.unlink()
    server.answers.clear()
    again = fetch(source, into, plain)
    assert again == first
    assert again.path.read_bytes() == BODY
    assert [path.stat().st_mode & 0o077 for path in cache.rglob(SHA256.digits)] == [0]


def test_a_poisoned_cache_is_found_out(
    server: WebServer, into: Path, plain: FetchOptions, cache: Path
) -> None:
    source = UrlSource(server.serve("/x.tar", BODY), SHA256)
    fetch(source, into, plain).path.unlink()
    (kept,) = cache.rglob(SHA256.digits)
    for poison in (b"poison", b"", archive_of({"../escapes": b"x"}), archive_of({"a": b"1"})[:-20]):
        kept.write_bytes(poison)
        fetched = fetch(source, into, plain)
        assert fetched.path.read_bytes() == BODY
        assert kept.read_bytes() == BODY
        fetched.path.unlink()
    kept.write_bytes(b"poison")
    server.answers.clear()
    with pytest.raises(SourceNotFound):
        fetch(source, into, plain)
    assert not kept.exists()
    assert not list(into.iterdir())


def test_what_is_not_verified_is_not_kept(
    server: WebServer, into: Path, plain: FetchOptions, cache: Path
) -> None:
    provenance = fetch(UrlSource(server.serve("/x.tar", BODY)), into, plain).provenance
    assert (provenance.verified, provenance.verified_by) == (False, "")
    assert provenance.checksum == str(SHA256)
    assert not cache.exists()


def test_the_longest_unused_goes_first(
    server: WebServer, into: Path, plain: FetchOptions, cache: Path
) -> None:
    bodies = [bytes([number]) * 1000 for number in range(3)]
    options = replace(plain, cache_bytes=2500)
    for number, body in enumerate(bodies):
        checksum = Checksum("sha256", hashlib.sha256(body).hexdigest())
        fetch(UrlSource(server.serve(f"/{number}", body), checksum), into, options)
        for path in cache.rglob(checksum.digits):
            os.utime(path, (number, number))
    kept = {path.read_bytes() for path in cache.rglob("*") if path.is_file()}
    assert kept == set(bodies[1:])


def test_a_cache_that_cannot_be_written_fails_nothing(
    server: WebServer, into: Path, plain: FetchOptions, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    options = replace(plain, cache_folder=tmp_path / "file" / "cache")
    assert fetch(UrlSource(server.serve("/x", BODY), SHA256), into, options).path.read_bytes() == BODY
    none = replace(plain, cache_folder=None)
    assert fetch(UrlSource(server.serve("/y", BODY), SHA256), into, none).path.read_bytes() == BODY


def test_a_path_that_is_not_utf_8_can_be_recorded(tmp_path: Path, into: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.bin"))
    path.write_bytes(BODY)
    fetched = fetch(parse_source(str(path)), into)
    assert fetched.path == path
    assert fetched.provenance.url.encode() == f"{tmp_path}/\\xff.bin".encode()
