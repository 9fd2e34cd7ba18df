"""Archives that are damaged or mean harm: a clear finding each, nothing outside touched, nothing left."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import ContentRefused, PayloadFormat, UnpackLimits, scan, unpack
from longshore_bundles.limits import DEFAULT_LIMITS
from longshore_bundles.tar_header import END_OF_ARCHIVE, directory_header, file_header, link_header, padding
from tests.bundles.trees import File, Link, compressed, make_tar, make_zip, names_in

TAR = PayloadFormat.TAR


def file(name: str, content: bytes = b"", *, executable: bool = False) -> bytes:
    return file_header(name, len(content), executable=executable) + content + padding(len(content))


def changed(header: bytes, offset: int, field: bytes) -> bytes:
    """A header with another field, and the checksum that goes with it."""
    block = bytearray(header)
    block[offset : offset + len(field)] = field
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def typed(name: str, entry_type: bytes, *, size: int = 0, target: str = "") -> bytes:
    header = changed(file_header(name, size, executable=False), 156, entry_type)
    return changed(header, 157, target.encode()) if target else header


def pax(*records: tuple[str, str], entry_type: bytes = b"x") -> bytes:
    data = b""
    for key, value in records:
        body = f" {key}={value}\n".encode()
        length = len(body) + 1
        while len(str(length)) + len(body) != length:
            length += 1
        data += str(length).encode() + body
    return typed("pax", entry_type, size=len(data)) + data + padding(len(data))


def refused(
    data: bytes,
    payload_format: PayloadFormat = TAR,
    limits: UnpackLimits = DEFAULT_LIMITS,
    *,
    ended: bool = True,
) -> list[str]:
    """The codes that scanning and unpacking find, which must be the same and leave nothing behind."""
    if payload_format is TAR and ended:
        data += END_OF_ARCHIVE
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside, "inner")
        folder.mkdir()
        scanned = scan(io.BytesIO(data), payload_format, limits, scratch=folder)
        with pytest.raises(ContentRefused) as caught:
            unpack(io.BytesIO(data), folder / "t", payload_format, limits)
        assert names_in(folder) == []
        assert names_in(Path(outside)) == ["inner"]
    assert not scanned.accepted
    assert scanned.content_sha256 == ""
    assert caught.value.findings == scanned.findings
    assert caught.value.total_findings == scanned.total_findings
    for finding in scanned.findings:
        assert finding.severity == "error"
        finding.message.encode()
        finding.path.encode()
    return [finding.code for finding in scanned.findings]


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
    data = b"".join(file(f"../{i}") for i in range(30)) + typed("dev", b"3") + link_header("l", "/x")
    assert refused(data) == ["PATH_ESCAPES"] * 20
    assert scan(io.BytesIO(data + END_OF_ARCHIVE), TAR, scratch=Path("/nowhere")).total_findings == 32
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
    "payload_format", [PayloadFormat.TAR_GZ, PayloadFormat.TAR_XZ, PayloadFormat.TAR_ZST]
)
def test_damaged_compression(payload_format: PayloadFormat) -> None:
    noise = random.Random(3).randbytes(300_000)
    data = compressed(make_tar({"a": File(noise), "b": File(noise[::-1])}), payload_format)
    assert refused(data[: len(data) // 2], payload_format) == ["ARCHIVE_TRUNCATED"]
    assert refused(b"no archive at all", payload_format) == ["ARCHIVE_CORRUPT"]
    assert refused(data + b"and something more", payload_format) == ["ARCHIVE_CORRUPT"]
    assert refused(b"", payload_format) == ["ARCHIVE_TRUNCATED"]
    if payload_format is not PayloadFormat.TAR_ZST:
        damaged = bytearray(data)
        damaged[len(data) // 2] ^= 0xFF
        assert refused(bytes(damaged), payload_format) == ["ARCHIVE_CORRUPT"]


def small(**limits: int) -> UnpackLimits:
    return UnpackLimits(**{"ratio_free_bytes": 1 << 20, **limits})


def test_limits() -> None:
    many = b"".join(file(f"f{i}") for i in range(11))
    assert refused(many, limits=small(max_entries=10)) == ["TOO_MANY_ENTRIES"]
    assert refused(file("a", b"x" * 101), limits=small(max_file_bytes=100)) == ["FILE_TOO_LARGE"]
    assert refused(file("a", b"x" * 5000) * 1, limits=small(max_total_bytes=4000)) == ["TOTAL_TOO_LARGE"]
    zipped = make_zip({f"f{i}": File(b"x" * 1000) for i in range(11)})
    assert refused(zipped, PayloadFormat.ZIP, small(max_entries=10)) == ["TOO_MANY_ENTRIES"]
    assert refused(zipped, PayloadFormat.ZIP, small(max_file_bytes=999)) == ["FILE_TOO_LARGE"]
    assert refused(zipped, PayloadFormat.ZIP, small(max_total_bytes=5000)) == ["TOTAL_TOO_LARGE"]
    assert scan(
        io.BytesIO(zipped), PayloadFormat.ZIP, small(max_entries=11), scratch=Path("/nowhere")
    ).accepted


@pytest.mark.parametrize(
    "payload_format", [PayloadFormat.TAR_GZ, PayloadFormat.TAR_XZ, PayloadFormat.TAR_ZST]
)
def test_bombs_are_stopped_by_what_was_read(payload_format: PayloadFormat) -> None:
    zeros = bytes(64 << 20)
    bomb = compressed(make_tar({"a": File(zeros)}), payload_format)
    tracemalloc.start()
    assert refused(bomb, payload_format, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20
    padded = compressed(make_tar({"a": File(b"1")}) + zeros, payload_format)
    assert refused(padded, payload_format, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]
    headers = compressed(b"".join(pax(("comment", "x" * 900_000)) for _ in range(60)), payload_format)
    assert refused(headers, payload_format, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]


def test_bombs_of_zips_and_hard_links() -> None:
    zeros = File(bytes(8 << 20))
    assert refused(make_zip({"a": zeros}), PayloadFormat.ZIP, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]
    links = file("a", bytes(1 << 20)) + b"".join(typed(f"h{i}", b"1", target="a") for i in range(50))
    assert refused(links, limits=small(max_ratio=10)) == ["RATIO_TOO_HIGH"]
    assert refused(links, limits=small(max_total_bytes=10 << 20)) == ["TOTAL_TOO_LARGE"]


def test_headers_that_ask_for_memory() -> None:
    tracemalloc.start()
    assert refused(typed("x", b"x", size=8 * 2**30 - 1)) == ["HEADER_TOO_LARGE"]
    assert refused(typed("x", b"L", size=8 * 2**30 - 1)) == ["HEADER_TOO_LARGE"]
    chain = b"".join(pax(("path", f"p{i}")) for i in range(5000))
    with tempfile.TemporaryDirectory() as folder:
        assert (
            scan(io.BytesIO(chain + file("a") + END_OF_ARCHIVE), TAR, scratch=Path(folder)).entry_count == 1
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20
    huge_dictionary = lzma.compress(
        b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    )
    assert refused(huge_dictionary, PayloadFormat.TAR_XZ) == ["ARCHIVE_CORRUPT"]
    parameters = zstandard.ZstdCompressionParameters(window_log=29)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    huge_window = compressor.compress(file("a")) + compressor.flush()
    assert refused(huge_window, PayloadFormat.TAR_ZST) == ["ARCHIVE_CORRUPT"]


def zip_with(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for entry, content in entries:
            archive.writestr(entry, content)
    return out.getvalue()


def info(name: str, mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.create_system, found.external_attr, found.compress_type = 3, mode << 16, method
    return found


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


class StoreAway(Exception):
    pass


class BreakingSource(io.BytesIO):
    """A store that goes away after some bytes."""

    def __init__(self, data: bytes, left: int, failure: Exception) -> None:
        super().__init__(data)
        self._left = left
        self._failure = failure

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(min(size, 5000) if size and size > 0 else size)
        self._left -= len(data)
        if self._left < 0:
            raise self._failure
        return data


@pytest.mark.parametrize("payload_format", list(PayloadFormat))
@pytest.mark.parametrize(
    "failure", [StoreAway("gone"), OSError("gone"), ValueError("gone"), EOFError("gone")]
)
def test_what_the_source_raises_comes_through_untouched(
    tmp_path: Path, payload_format: PayloadFormat, failure: Exception
) -> None:
    noise = random.Random(4).randbytes(100_000)
    tar = make_tar({"a": File(noise)})
    data = (
        make_zip({"a": File(noise)})
        if payload_format is PayloadFormat.ZIP
        else compressed(tar, payload_format)
    )
    for left in (0, 30_000):
        with pytest.raises(type(failure)) as caught:
            scan(BreakingSource(data, left, failure), payload_format, scratch=tmp_path)
        assert caught.value is failure
        with pytest.raises(type(failure)) as caught:
            unpack(BreakingSource(data, left, failure), tmp_path / "t", payload_format, file_name="f")
        assert caught.value is failure
        assert names_in(tmp_path) == []


def test_the_destination_must_be_new_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(FileExistsError):
        unpack(io.BytesIO(make_tar({"a": File(b"")})), tmp_path, TAR)
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        unpack(io.BytesIO(make_tar({"a": File(b"")})), tmp_path.parent / f"{tmp_path.name}-link", TAR)
    assert names_in(tmp_path) == ["kept"]


def test_somebody_beside_cannot_lead_a_write_outside(tmp_path: Path) -> None:
    """Links that appear in the tree while it is written are not followed."""

    class Planting(io.BytesIO):
        planted = False

        def read(self, size: int | None = -1) -> bytes:
            if (tmp_path / "t/first").exists() and not self.planted:
                self.planted = True
                plant()
            return super().read(min(size, 512) if size and size > 0 else size)

    def plant() -> None:
        (tmp_path / "t/dir").symlink_to(tmp_path / "outside")

    (tmp_path / "outside").mkdir()
    data = file("first", bytes(2 << 20)) + file("dir/x", b"evil") + END_OF_ARCHIVE
    with pytest.raises(OSError, match="dir"):
        unpack(Planting(data), tmp_path / "t", TAR)
    assert names_in(tmp_path / "outside") == []
    assert names_in(tmp_path) == ["outside"]


_SAMPLES: list[tuple[PayloadFormat, bytes]] = [
    (TAR, make_tar({"a/b": File(b"x" * 700), "l": Link("a"), "n" * 150: File(b"y")}, tar_format=fmt))
    for fmt in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
] + [
    (PayloadFormat.ZIP, make_zip({"a/b": File(b"x" * 700), "l": Link("a"), "c": File(b"y")})),
    (PayloadFormat.TAR_GZ, gzip.compress(make_tar({"a": File(b"x" * 700)}))),
    (PayloadFormat.TAR_XZ, lzma.compress(make_tar({"a": File(b"x" * 700)}))),
    (PayloadFormat.TAR_ZST, zstandard.compress(make_tar({"a": File(b"x" * 700)}))),
]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(_SAMPLES),
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 40_000),
)
def test_damage_anywhere_is_answered_and_stays_inside(
    sample: tuple[PayloadFormat, bytes], damage: list[tuple[int, int]], length: int
) -> None:
    payload_format, data = sample
    damaged = bytearray(data[: max(length, 1)] if length < len(data) else data)
    for position, value in damage:
        damaged[position % len(damaged)] = value
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside, "inner")
        folder.mkdir()
        scanned = scan(io.BytesIO(bytes(damaged)), payload_format, scratch=folder)
        try:
            result = unpack(io.BytesIO(bytes(damaged)), folder / "t", payload_format)
            assert scanned == result.scan
        except ContentRefused:
            assert not scanned.accepted
            assert names_in(folder) == []
        assert names_in(Path(outside)) == ["inner"]
