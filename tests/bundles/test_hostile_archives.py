"""Tars that are damaged or mean harm: a clear finding each, nothing outside touched, nothing left."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from longshore_bundles import ContentRefused, Finding, PayloadFormat, Severity, scan, unpack
from longshore_bundles.findings import KEPT_FINDINGS
from longshore_bundles.tar_header import END_OF_ARCHIVE, directory_header, file_header, link_header, padding
from tests.bundles.hostile import TAR, changed, file, pax, refused, typed
from tests.bundles.trees import File, make_zip, names_in


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("/etc/passwd", "PATH_ABSOLUTE"),
        ("//x", "PATH_ABSOLUTE"),
        ("C:/x", "PATH_ABSOLUTE"),
        ("c:\\x", "PATH_ABSOLUTE"),
        ("../x", "PATH_ESCAPES"),
        ("a/../../x", "PATH_ESCAPES"),
        ("a/..", "PATH_ESCAPES"),
        ("./..", "PATH_ESCAPES"),
        (".", "PATH_EMPTY"),
        ("a/", "PATH_INVALID"),
        ("n" * 256, "PATH_TOO_LONG"),
        ("n/" * 101 + "x", "PATH_TOO_LONG"),
        ("/".join(["n" * 200] * 20), "PATH_TOO_LONG"),
    ],
)
def test_paths(name: str, code: str) -> None:
    assert refused(file("fine") + file(name, b"x")) == [code]
    if code != "PATH_INVALID" and name != ".":
        assert refused(make_zip({"fine": File(b""), name: File(b"x")}), PayloadFormat.ZIP) in (
            [code],
            ["PATH_INVALID"],
        )


def test_names_that_are_no_text() -> None:
    assert refused(changed(file("aaa"), 0, b"a\xffb")) == ["PATH_NOT_UTF8"]
    assert refused(pax(("path", "a\0b")) + file("a")) == ["PATH_INVALID"]
    assert refused(changed(file("aaa"), 0, b"\0\0\0")) == ["PATH_EMPTY"]
    assert refused(changed(link_header("aaa", "x"), 157, b"\xff")) == ["PATH_NOT_UTF8"]


def test_all_findings_are_collected_and_counted() -> None:
    many = b"".join(file(f"../{i}") for i in range(KEPT_FINDINGS + 10))
    data = many + typed("dev", b"3") + link_header("l", "/x")
    assert refused(data) == ["PATH_ESCAPES"] * KEPT_FINDINGS
    found = scan(io.BytesIO(data + END_OF_ARCHIVE), TAR, scratch=Path("/nowhere"))
    assert found.total_findings == KEPT_FINDINGS + 12
    assert refused(file("../a") + typed("dev", b"3") + link_header("l", "/x") + file("b") + file("b")) == [
        "PATH_ESCAPES",
        "SPECIAL_FILE",
        "LINK_ESCAPES",
        "PATH_DUPLICATE",
    ]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        (file("a") + file("a"), "PATH_DUPLICATE"),
        (file("a") + file("./a"), "PATH_DUPLICATE"),
        (file("a") + link_header("a", "b"), "PATH_DUPLICATE"),
        (file("a") + file("A"), "CASE_COLLISION"),
        (file("a/x") + file("A/y"), "CASE_COLLISION"),
        (directory_header("a") + file("A"), "CASE_COLLISION"),
        (file("stra\u00dfe") + file("STRASSE"), "CASE_COLLISION"),
        (file("\u00e9") + file("e\u0301"), "CASE_COLLISION"),
        (file("a") + file("a/b"), "PATH_CONFLICT"),
        (file("a/b") + file("a"), "PATH_CONFLICT"),
        (file("a/b/c") + link_header("a/b", "."), "PATH_CONFLICT"),
        (directory_header("a") + file("a"), "PATH_CONFLICT"),
        (link_header("a", ".") + file("a/b"), "PATH_CONFLICT"),
        (link_header("a", ".") + directory_header("a"), "PATH_CONFLICT"),
    ],
)
def test_duplicates_conflicts_and_collisions(entries: bytes, code: str) -> None:
    assert refused(entries) == [code]


def test_directories_may_come_twice_and_late() -> None:
    data = (
        file("a/b") + directory_header("a") + directory_header("a") + directory_header(".") + END_OF_ARCHIVE
    )
    with tempfile.TemporaryDirectory() as folder:
        assert scan(io.BytesIO(data), TAR, scratch=Path(folder)).accepted


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        (link_header("l", "/etc"), "LINK_ESCAPES"),
        (link_header("l", ".."), "LINK_ESCAPES"),
        (link_header("d/l", "../.."), "LINK_ESCAPES"),
        (link_header("d/l", "./.././../x"), "LINK_ESCAPES"),
        # Through another link: lexically inside, in truth outside.
        (link_header("x/y/s", "../..") + link_header("l", "x/y/s/../.."), "LINK_INVALID"),
        (link_header("a", "b/..") + file("b/c"), "LINK_INVALID"),
        (link_header("a", "d") + link_header("a/b", "..") + file("d/x"), "PATH_CONFLICT"),
        (changed(link_header("l", "x"), 157, b"\0"), "LINK_INVALID"),
        (typed("h", b"1", target="/etc/passwd"), "PATH_ABSOLUTE"),
        (typed("h", b"1", target="../../x"), "PATH_ESCAPES"),
        (typed("h", b"1", target="h"), "HARD_LINK_INVALID"),
        (typed("h", b"1", target="later") + file("later"), "HARD_LINK_INVALID"),
        (link_header("l", "x") + typed("h", b"1", target="l"), "HARD_LINK_INVALID"),
        (directory_header("d") + typed("h", b"1", target="d"), "HARD_LINK_INVALID"),
    ],
)
def test_links(entries: bytes, code: str) -> None:
    assert refused(entries) == [code]


def test_links_that_would_leave_the_tree_once_its_top_is_stripped() -> None:
    assert refused(file("p/package.json", b"{}") + link_header("p/l", "../p/x")) == ["LINK_ESCAPES"]
    data = file("p/a", b"{}") + link_header("p/l", "../p/x") + END_OF_ARCHIVE
    assert scan(io.BytesIO(data), TAR, scratch=Path("/nowhere")).accepted


@pytest.mark.parametrize("entry_type", [b"3", b"4", b"6", b"D", b"M", b"N", b"A", b"\x01", b"Z"])
def test_special_files(entry_type: bytes) -> None:
    assert refused(typed("x", entry_type) + file("y")) == ["SPECIAL_FILE"]


def test_setuid_and_owners_are_dropped(tmp_path: Path) -> None:
    data = changed(file("a"), 100, b"0006755\0") + changed(file("b"), 108, b"0001750\0") + END_OF_ARCHIVE
    unpack(io.BytesIO(data), tmp_path / "t", TAR)
    assert (tmp_path / "t/a").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "t/b").stat().st_uid == os.geteuid()


def test_pax_and_gnu_overrides(tmp_path: Path) -> None:
    long_name = b"../evil\0"
    gnu = typed("././@LongLink", b"L", size=len(long_name)) + long_name + padding(len(long_name))
    assert refused(gnu + file("innocent")) == ["PATH_ESCAPES"]
    assert refused(pax(("path", "/abs")) + file("innocent")) == ["PATH_ABSOLUTE"]
    assert refused(pax(("linkpath", "/abs")) + link_header("innocent", "x")) == ["LINK_ESCAPES"]
    assert refused(pax(("path", "/abs"), entry_type=b"g") + file("innocent")) == ["ARCHIVE_UNSUPPORTED"]
    # The size of the pax header counts, for the content and for where the next entry begins.
    content = b"x" * 700
    data = pax(("size", "700")) + file_header("a", 0, executable=False) + content + padding(700) + file("b")
    unpack(io.BytesIO(data + END_OF_ARCHIVE), tmp_path / "t", TAR)
    assert (tmp_path / "t/a").read_bytes() == content
    # pax goes before GNU, the last record before the first, and neither lasts beyond its entry.
    data = gnu + pax(("path", "p1"), ("path", "p2")) + file("x") + file("y") + END_OF_ARCHIVE
    unpack(io.BytesIO(data), tmp_path / "u", TAR)
    assert names_in(tmp_path / "u") == ["p2", "y"]


@pytest.mark.parametrize(
    "record", [b"9 path=ab", b"99 path=a\n", b"x path=a\n", b"5 a\n\n", b"0 a=b\n", b"7 =ab\n\n", b"+7 a=b\n"]
)
def test_damaged_pax_headers(record: bytes) -> None:
    data = typed("pax", b"x", size=len(record)) + record + padding(len(record))
    assert refused(data + file("a")) == ["ARCHIVE_CORRUPT"]


@pytest.mark.parametrize("size", ["-5", "1e3", "1_0", "", "9" * 30])
def test_sizes_that_are_no_numbers(size: str) -> None:
    assert refused(pax(("size", size)) + file("a")) == ["ARCHIVE_CORRUPT"]
    field = size[:11].encode().ljust(12, b"\0")
    if size:
        assert refused(changed(file("a"), 124, field)) == ["ARCHIVE_CORRUPT"]


def test_negative_and_huge_binary_sizes() -> None:
    assert refused(changed(file("a"), 124, b"\xff" * 12)) == ["ARCHIVE_CORRUPT"]
    assert refused(changed(file("a"), 124, b"\x80" + b"\x7f" * 11)) == ["ARCHIVE_TRUNCATED"]


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0", "gnu"])
def test_sparse_files_are_refused(tmp_path: Path, version: str) -> None:
    (tmp_path / "s").write_bytes(b"x")
    os.truncate(tmp_path / "s", 10 << 20)
    form = ["--format=gnu"] if version == "gnu" else ["--format=posix", f"--sparse-version={version}"]
    data = subprocess.run(
        ["tar", "-C", tmp_path, *form, "-Scf-", "s"], check=True, capture_output=True
    ).stdout
    assert len(data) < 1 << 20
    assert refused(data) == ["ARCHIVE_UNSUPPORTED"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ARCHIVE_TRUNCATED"),
        (file("a"), "ARCHIVE_TRUNCATED"),
        (file("a") + b"\0" * 100, "ARCHIVE_TRUNCATED"),
        (file("a", b"x" * 600)[:-200], "ARCHIVE_TRUNCATED"),
        (file("a", b"x" * 600)[:600], "ARCHIVE_TRUNCATED"),
        (file("a", b"x" * 600)[:300], "ARCHIVE_TRUNCATED"),
        (pax(("path", "b")) + END_OF_ARCHIVE, "ARCHIVE_CORRUPT"),
        (file("a") + b"garbage!" * 64 + END_OF_ARCHIVE, "ARCHIVE_CORRUPT"),
        (file("a") + bytes(512) + file("b") + END_OF_ARCHIVE, "ARCHIVE_CORRUPT"),
        (file("a") + END_OF_ARCHIVE + file("b") + END_OF_ARCHIVE, "ARCHIVE_TRAILING_DATA"),
        (file("a") + END_OF_ARCHIVE + bytes(5000) + b"x", "ARCHIVE_TRAILING_DATA"),
        (
            changed(directory_header("d"), 124, b"00000001000\0") + bytes(512) + END_OF_ARCHIVE,
            "ARCHIVE_CORRUPT",
        ),
        (END_OF_ARCHIVE, "ARCHIVE_EMPTY"),
    ],
)
def test_damaged_tars(data: bytes, code: str) -> None:
    assert refused(data, ended=False) == [code]


def test_endings_that_are_accepted() -> None:
    for ending in (END_OF_ARCHIVE, bytes(512), bytes(10240), bytes(700)):
        assert scan(io.BytesIO(file("a") + ending), TAR, scratch=Path("/nowhere")).accepted


@pytest.mark.parametrize(
    ("total", "more"), [(1, ""), (2, " (and 1 more finding)"), (3, " (and 2 more findings)")]
)
def test_a_refusal_shows_the_first_finding_and_counts_the_others(total: int, more: str) -> None:
    refusal = ContentRefused((Finding("LINK_ESCAPES", Severity.ERROR, "it leads out"),), total)
    assert str(refusal) == f"LINK_ESCAPES: it leads out{more}"
