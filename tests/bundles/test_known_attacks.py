"""Attacks that are known by name: zips whose parts overlap, longer forms that lie, odd names, splices."""

from __future__ import annotations

import io
import random
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest

from longshore_bundles import ContentRefused, PayloadFormat, scan, unpack
from longshore_bundles.tar_header import END_OF_ARCHIVE
from tests.bundles.hostile import TAR, file, info, refused, zip_with
from tests.bundles.trees import File, Link, Tree, compressed, make_tar, make_zip, names_in

ZIP = PayloadFormat.ZIP
_END = struct.Struct("<4s4H2LH")


def zip_of(body: bytes, *entries: tuple[str, int, int, int, bytes]) -> bytes:
    """A zip with a directory of one's own: name, offset, size, CRC and extra field of each."""
    central = b"".join(
        struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 0x314, 20, 0, 0, 0, 33, crc, size, size, len(name), len(extra),
            0, 0, 0, 0o100644 << 16, offset,
        )
        + name.encode()
        + extra
        for name, offset, size, crc, extra in entries
    )  # fmt: skip
    count = len(entries)
    return body + central + _END.pack(b"PK\5\6", 0, 0, count, count, len(central), len(body), 0)


def local(name: str, content: bytes) -> bytes:
    header = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, zlib.crc32(content), len(content), len(content), len(name), 0
    )
    return header + name.encode() + content


def test_a_zip_of_entries_that_lie_in_one_another() -> None:
    """Each entry's bytes are all the entries behind it, so that they add up to the square (Fifield, 2019)."""
    body = b""
    entries: list[tuple[str, int, int, int]] = []
    for number in range(400):
        name = f"{number:04d}"
        content, body = body, local(name, body)
        entries.append((name, len(body), len(content), zlib.crc32(content)))
    whole = len(body)
    data = zip_of(body, *((name, whole - end, size, crc, b"") for name, end, size, crc in entries))
    assert refused(data, ZIP) == ["ARCHIVE_CORRUPT"]


def test_a_zip_of_one_content_under_many_names() -> None:
    content = bytes(1_000)
    entries = [(f"{number}", 0, len(content), zlib.crc32(content), b"") for number in range(50)]
    assert "ARCHIVE_CORRUPT" in refused(zip_of(local("0", content), *entries), ZIP)


@pytest.mark.parametrize("size", [0, 3, 1 << 40, (1 << 64) - 1])
def test_a_zip64_field_that_lies(size: int) -> None:
    content = b"content"
    extra = struct.pack("<2H2Q", 1, 16, size, size)
    entry = ("a", 0, 0xFFFFFFFF, zlib.crc32(content), extra)
    assert refused(zip_of(local("a", content), entry), ZIP) in (["ARCHIVE_CORRUPT"], ["TOTAL_TOO_LARGE"])
    cut = ("a", 0, 0xFFFFFFFF, zlib.crc32(content), extra[:9])
    assert refused(zip_of(local("a", content), cut), ZIP) == ["ARCHIVE_CORRUPT"]


def test_a_data_descriptor_that_lies() -> None:
    """The directory counts; what stands behind the bytes says nothing to anybody."""

    class Unseekable(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise OSError

    out = Unseekable()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"content")
    data = bytearray(out.getvalue())
    descriptor = data.index(b"PK\7\10")
    data[descriptor + 4 : descriptor + 16] = b"\xff" * 12
    with tempfile.TemporaryDirectory() as folder:
        unpack(io.BytesIO(bytes(data)), Path(folder, "t"), ZIP)
        assert Path(folder, "t", "a").read_bytes() == b"content"


@pytest.mark.parametrize(
    "name", ["a\nb", "\x1b[2J", "\u202egpj.exe", "CON", "aux.txt", "a.", "a:stream", " "]
)
def test_odd_names_are_refused_or_stay_what_they_are(name: str) -> None:
    """As a tar and as a zip, with the same answer: nothing is renamed on the way."""
    answers = []
    for payload_format, data in (
        (TAR, file(name, b"x") + END_OF_ARCHIVE),
        (ZIP, make_zip({name: File(b"x")})),
    ):
        with tempfile.TemporaryDirectory() as folder:
            try:
                unpack(io.BytesIO(data), Path(folder, "t"), payload_format)
                answers.append(names_in(Path(folder, "t")))
            except ContentRefused as refusal:
                answers.append([finding.code for finding in refusal.findings])
    assert answers[0] == answers[1]
    assert answers[0] in ([name], ["PATH_INVALID"])


def test_archives_in_archives_are_files() -> None:
    inner = make_zip({"../evil": File(b"x")})
    for _ in range(5):
        inner = zip_with((info("inner.zip"), inner))
    with tempfile.TemporaryDirectory() as folder:
        unpack(io.BytesIO(inner), Path(folder, "t"), ZIP)
        assert names_in(Path(folder, "t")) == ["inner.zip"]


_TREE: Tree = {"a/b": File(b"x" * 700), "l": Link("a"), "n" * 150: File(b"y" * 3_000)}
_WHOLE = [
    (TAR, make_tar(_TREE)),
    (ZIP, make_zip(_TREE)),
    *(
        (packed, compressed(make_tar(_TREE), packed))
        for packed in (PayloadFormat.TAR_GZ, PayloadFormat.TAR_XZ, PayloadFormat.TAR_ZST)
    ),
]


@pytest.mark.parametrize("number", range(len(_WHOLE)))
def test_spliced_archives_are_answered_and_stay_inside(number: int) -> None:
    """Pieces of good archives, of this and of other formats, put together anew and with bits flipped."""
    payload_format, data = _WHOLE[number]
    chance = random.Random(number)
    for _ in range(60):
        other = chance.choice(_WHOLE)[1] if chance.random() < 0.3 else data
        at, begin = chance.randrange(len(data)), chance.randrange(len(other))
        spliced = bytearray(data[:at] + other[begin : begin + chance.randrange(2_000)])
        spliced += data[chance.randrange(at, len(data)) :]
        for _ in range(chance.randrange(3)):
            spliced[chance.randrange(len(spliced))] ^= 1 << chance.randrange(8)
        with tempfile.TemporaryDirectory() as outside:
            folder = Path(outside, "inner")
            folder.mkdir()
            scanned = scan(io.BytesIO(bytes(spliced)), payload_format, scratch=folder)
            try:
                unpack(io.BytesIO(bytes(spliced)), folder / "t", payload_format)
                assert scanned.accepted
            except ContentRefused:
                assert not scanned.accepted
                assert names_in(folder) == []
            assert names_in(Path(outside)) == ["inner"]
