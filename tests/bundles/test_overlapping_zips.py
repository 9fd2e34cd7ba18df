"""Zips whose entries share bytes or give next to nothing; and honest ones of every form."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from longshore_bundles import BundleScan, PayloadFormat, scan
from tests.bundles.hostile import info, refused, zip_with

NOWHERE: Final = Path("/nowhere")
MIB: Final = 1 << 20
PROGRAM: Final = b"#!/bin/sh\n" * 1000
LAST_BLOCK: Final = b"\1\0\0\xff\xff"


@dataclass(frozen=True)
class Record:
    """What the list of entries says of one, which need not be what stands there."""

    name: str
    offset: int
    packed_bytes: int
    content: bytes = b""

    def _fields(self) -> bytes:
        sums = zlib.crc32(self.content), self.packed_bytes, len(self.content)
        return struct.pack("<5H3I2H", 20, 0, zipfile.ZIP_DEFLATED, 0, 33, *sums, len(self.name), 0)

    def local(self) -> bytes:
        return b"PK\3\4" + self._fields() + self.name.encode()

    def listed(self) -> bytes:
        place = struct.pack("<3H2I", 0, 0, 0, 0, self.offset)
        return b"PK\1\2\x14\0" + self._fields() + place + self.name.encode()


def ended(body: bytes, records: Sequence[Record]) -> bytes:
    listed = b"".join(record.listed() for record in records)
    counts = len(records), len(records), len(listed), len(body)
    return body + listed + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *counts, 0)


def nested(count: int, kernel: bytes) -> bytes:
    """Entries each of which holds the next one's header and content; all end in the same kernel."""
    record = Record(f"f{count}", 0, len(kernel))
    body, lengths, records = kernel, len(kernel), [record]
    for number in range(count - 1, 0, -1):
        quoted = records[-1].local()
        body = struct.pack("<BHH", 0, len(quoted), len(quoted) ^ 0xFFFF) + quoted + body
        lengths += 5 + len(quoted)
        records.append(Record(f"f{number}", 0, lengths, quoted + records[-1].content))
    records.reverse()
    offset, placed = 0, []
    for record in records:
        placed.append(Record(record.name, offset, record.packed_bytes, record.content))
        offset += len(record.local()) + 5
    return ended(placed[0].local() + body, placed)


def scanned(data: bytes) -> BundleScan:
    return scan(io.BytesIO(data), PayloadFormat.ZIP, scratch=NOWHERE)


def test_entries_over_one_kernel() -> None:
    data = nested(12, LAST_BLOCK)
    assert refused(data, PayloadFormat.ZIP) == ["ARCHIVE_CORRUPT"]
    assert "overlaps what stands behind it" in scanned(data).findings[0].message
    assert scanned(nested(1, LAST_BLOCK)).accepted


def test_directories_at_one_place() -> None:
    one, other = Record("a/", 0, 0), Record("b/", 0, 0)
    assert refused(ended(one.local(), [one, other]), PayloadFormat.ZIP) == ["ARCHIVE_CORRUPT"]
    other = Record("b/", len(one.local()), 0)
    assert scanned(ended(one.local() + other.local(), [other, one])).accepted


def test_an_entry_that_reaches_into_the_list_of_entries() -> None:
    only = Record("a", 0, len(LAST_BLOCK) + 1)
    data = ended(only.local() + LAST_BLOCK, [only])
    assert "overlaps what stands behind it" in scanned(data).findings[0].message


def test_content_that_gives_nothing_is_not_read_to_its_end() -> None:
    # Each by itself would do: a byte behind blocks of deflate that hold nothing.
    packed = b"\0\0\0\xff\xff" * (3 * MIB // 5) + b"\1\1\0\xfe\xffx"
    body, records = b"", []
    for number in range(2):
        records.append(Record(f"f{number}", len(body), len(packed), b"x"))
        body += records[-1].local() + packed
    found = scanned(ended(body, records))
    assert [finding.code for finding in found.findings] == ["ARCHIVE_CORRUPT"]
    assert "unpack to next to nothing" in found.findings[0].message
    assert scanned(ended(body[: len(body) // 2], records[:1])).accepted


class Unseekable(io.BytesIO):
    """A file that a zip is written to with what is known only afterwards behind the content."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation


def honest(out: io.BytesIO, *, zip64: bool = False) -> bytes:
    noise = blake3(b"noise").digest(length=6 * MIB)
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"made by hand"
        archive.writestr(info("empty/", 0o40755), b"")
        for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
            with archive.open(info(f"{name}/noise", method=method), "w", force_zip64=zip64) as file:
                file.write(noise)
            with archive.open(info(f"{name}/zéros", method=method), "w", force_zip64=zip64) as file:
                file.write(bytes(1000))
            with archive.open(info(f"{name}/empty", method=method), "w", force_zip64=zip64):
                pass
        archive.writestr(info("last", 0o120777), b"stored/noise")
    return out.getvalue()


def test_honest_zips_of_every_form() -> None:
    plain = honest(io.BytesIO())
    behind_program = io.BytesIO(PROGRAM)
    behind_program.seek(len(PROGRAM))
    wanted = scanned(plain).content_sha256
    assert wanted
    for data in (
        honest(io.BytesIO(), zip64=True),
        # With descriptors behind the content.
        honest(Unseekable()),
        honest(Unseekable(), zip64=True),
        # Behind a program that unpacks it: places count from the zip's beginning, or from the program's.
        PROGRAM + plain,
        honest(behind_program),
    ):
        assert scanned(data).content_sha256 == wanted


def test_a_zip_of_many_empty_files() -> None:
    names = [f"{number:05}" for number in range(20_000)]
    entries = [(info(name, method=zipfile.ZIP_DEFLATED), b"") for name in names]
    assert scanned(zip_with(*entries)).entry_count == len(names)
