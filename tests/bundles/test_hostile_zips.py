"""Zips that are damaged or mean harm."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from longshore_bundles import PayloadFormat, scan, unpack
from tests.bundles.hostile import info, refused, small, zip_with
from tests.bundles.trees import names_in


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (zip_with((info("a\\b"), b"")), "PATH_INVALID"),
        (zip_with((info("..\\x"), b"")), "PATH_INVALID"),
        (zip_with((info("C:x/y\\z"), b"")), "PATH_INVALID"),
        (zip_with((info("a"), b""), (info("a"), b"")), "PATH_DUPLICATE"),
        (zip_with((info("a"), b""), (info("A"), b"")), "CASE_COLLISION"),
        (zip_with((info("a"), b""), (info("a/b"), b"")), "PATH_CONFLICT"),
        (zip_with((info("l", 0o120777), b"/etc")), "LINK_ESCAPES"),
        (zip_with((info("l", 0o120777), b"..")), "LINK_ESCAPES"),
        (zip_with((info("l", 0o120777), b"")), "LINK_INVALID"),
        (zip_with((info("l", 0o120777), b"x" * 1025)), "LINK_INVALID"),
        (zip_with((info("l", 0o120777), b"\xff")), "PATH_NOT_UTF8"),
        (zip_with((info("p", 0o010644), b"")), "SPECIAL_FILE"),
        (zip_with((info("d", 0o020644), b"")), "SPECIAL_FILE"),
        (zip_with((info("d/"), b"content")), "PATH_INVALID"),
        (zip_with((info("a", method=zipfile.ZIP_BZIP2), b"x")), "ENTRY_UNSUPPORTED"),
        (zip_with((info("a", method=zipfile.ZIP_LZMA), b"x")), "ENTRY_UNSUPPORTED"),
        (zip_with(), "ARCHIVE_EMPTY"),
        (b"", "ARCHIVE_CORRUPT"),
        (b"PK\x03\x04" + bytes(100), "ARCHIVE_CORRUPT"),
        (zip_with((info("a"), b"x"))[:-10], "ARCHIVE_CORRUPT"),
    ],
)
def test_zips(data: bytes, code: str) -> None:
    assert refused(data, PayloadFormat.ZIP) == [code]


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(10), zip_with((info("a"), b"x"))[:60]]
)
def test_short_zips_in_a_real_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with (tmp_path / "x.zip").open("rb") as source:
        result = scan(source, PayloadFormat.ZIP, scratch=tmp_path)
    assert [finding.code for finding in result.findings] == ["ARCHIVE_CORRUPT"]


def edited(data: bytes, old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in data
    return data.replace(old, new, count)


def test_zips_whose_parts_disagree() -> None:
    whole = zip_with((info("name"), b"content"))
    assert refused(edited(whole, b"content", b"kontent"), PayloadFormat.ZIP) == ["ARCHIVE_CORRUPT"]
    assert refused(edited(whole, b"name", b"eman", 1), PayloadFormat.ZIP) == ["ARCHIVE_CORRUPT"]
    assert refused(edited(whole, b"name", b"na\0e"), PayloadFormat.ZIP) == ["PATH_INVALID"]
    assert refused(edited(whole, b"name", b"n\xffme"), PayloadFormat.ZIP) == ["PATH_NOT_UTF8"]
    central = whole.index(b"PK\x01\x02")
    encrypted = bytearray(whole)
    encrypted[central + 8] |= 1
    assert refused(bytes(encrypted), PayloadFormat.ZIP) == ["ENTRY_UNSUPPORTED"]
    flagged = bytearray(edited(whole, b"name", b"n\xffme"))
    flagged[central + 9] |= 8
    assert refused(bytes(flagged), PayloadFormat.ZIP) == ["ARCHIVE_CORRUPT"]
    larger = bytearray(whole)
    struct.pack_into("<II", larger, central + 20, 1 << 31, 1 << 31)
    assert refused(bytes(larger), PayloadFormat.ZIP) == ["ARCHIVE_CORRUPT"]


def test_names_in_a_zip_are_the_bytes_they_are(tmp_path: Path) -> None:
    data = edited(zip_with((info("nXXe"), b"")), b"nXXe", "né".encode() + b"e")
    unpack(io.BytesIO(data), tmp_path / "t", PayloadFormat.ZIP)
    assert names_in(tmp_path / "t") == ["née"]


def test_a_zip_of_too_many_entries_makes_no_objects_of_them() -> None:
    record = zip_with((info("a"), b""))
    central = record.index(b"PK\x01\x02")
    end = record.index(b"PK\x05\x06")
    directory = record[central:end] * 200_000
    tail = bytearray(record[end:])
    struct.pack_into("<HHII", tail, 8, 1, 1, len(directory), central)
    data = record[:central] + directory + bytes(tail)
    tracemalloc.start()
    assert refused(data, PayloadFormat.ZIP, small(max_entries=100_000)) == ["TOO_MANY_ENTRIES"]
    assert refused(data, PayloadFormat.ZIP, small(max_entries=10)) == ["TOO_MANY_ENTRIES"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(data)
