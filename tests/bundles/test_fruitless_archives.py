"""Archives that take time to read and give next to nothing; and honest ones that look like them."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import zstandard
from blake3 import blake3

from longshore_bundles import PayloadFormat, scan
from longshore_bundles.tar_header import END_OF_ARCHIVE
from tests.bundles.hostile import TAR, file, pax, refused, small
from tests.bundles.trees import File, make_tar

GZ, XZ, ZST = PayloadFormat.TAR_GZ, PayloadFormat.TAR_XZ, PayloadFormat.TAR_ZST
NOWHERE: Final = Path("/nowhere")
MIB: Final = 1 << 20
COMPRESS: Final[dict[PayloadFormat, Callable[[bytes], bytes]]] = {
    GZ: gzip.compress,
    XZ: partial(lzma.compress, preset=0),
    ZST: zstandard.ZstdCompressor().compress,
}
# A member whose header has a name that never ends.
LONG_NAME: Final = b"\x1f\x8b\x08\x08" + bytes(4) + b"\0\xff" + b"a" * (24 * MIB)


def only(unit: bytes) -> bytes:
    return unit * (24 * MIB // len(unit))


class Counted(io.BytesIO):
    """How much was read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


@pytest.mark.parametrize(
    ("form", "data"),
    [
        *[(form, only(compress(b""))) for form, compress in COMPRESS.items()],
        (GZ, LONG_NAME),
        # Blocks of deflate that hold nothing, in one member.
        (GZ, b"\x1f\x8b\x08" + bytes(7) + only(b"\0\0\0\xff\xff")),
    ],
    ids=["gz members", "xz streams", "zst frames", "gz name", "gz blocks"],
)
def test_what_gives_nothing_is_not_read_to_its_end(form: PayloadFormat, data: bytes) -> None:
    source = Counted(data)
    scanned = scan(source, form, scratch=NOWHERE)
    assert [finding.code for finding in scanned.findings] == ["ARCHIVE_CORRUPT"]
    assert "unpack to next to nothing" in scanned.findings[0].message
    assert source.read_bytes < 8 * MIB


@pytest.mark.parametrize("form", COMPRESS)
def test_content_that_cannot_be_compressed(form: PayloadFormat) -> None:
    tar = make_tar({"a": File(blake3(b"noise").digest(length=12 * MIB))})
    # In small pieces, each of which takes more than it gives.
    pieces = [tar[at : at + 1024] for at in range(0, len(tar), 1024)]
    packed = b"".join(map(COMPRESS[form], pieces))
    assert len(packed) > len(tar)
    scanned = scan(io.BytesIO(packed), form, scratch=NOWHERE)
    assert scanned.accepted
    assert scanned.content_sha256 == scan(io.BytesIO(tar), TAR, scratch=NOWHERE).content_sha256


@pytest.mark.parametrize("form", [GZ, XZ])
def test_zeros_behind_what_is_packed(form: PayloadFormat) -> None:
    tar = make_tar({"a": File(b"content")})
    packed = COMPRESS[form](tar[:1000]) + bytes(12 * MIB) + COMPRESS[form](tar[1000:]) + bytes(12 * MIB)
    scanned = scan(io.BytesIO(packed), form, scratch=NOWHERE)
    assert scanned.content_sha256 == scan(io.BytesIO(tar), TAR, scratch=NOWHERE).content_sha256


def test_headers_and_members_are_counted() -> None:
    tar = b"".join(file(f"f{number}") for number in range(10)) + END_OF_ARCHIVE
    pieces = [tar[at : at + 512] for at in range(0, len(tar), 512)]
    for form in (GZ, XZ):
        packed = b"".join(map(COMPRESS[form], pieces))
        joins = len(pieces) - 1
        assert scan(io.BytesIO(packed), form, small(max_headers=joins), scratch=NOWHERE).accepted
        assert refused(packed, form, small(max_headers=joins - 1)) == ["TOO_MANY_HEADERS"]
    told = pax(("comment", "a"), ("mtime", "1"), ("path", "p")) + file("a")
    # The header, and its three records.
    assert scan(io.BytesIO(told + END_OF_ARCHIVE), TAR, small(max_headers=4), scratch=NOWHERE).accepted
    assert refused(told, limits=small(max_headers=3)) == ["TOO_MANY_HEADERS"]


@pytest.mark.parametrize("form", [GZ, XZ])
def test_the_end_of_one_that_breaks_off(form: PayloadFormat) -> None:
    packed = COMPRESS[form](make_tar({"a": File(bytes(5000))}))
    for cut in (1, 7, 20):
        assert refused(packed[:-cut], form) == ["ARCHIVE_TRUNCATED"]
        assert refused(packed + packed[:cut], form) in (["ARCHIVE_TRUNCATED"], ["ARCHIVE_CORRUPT"])
    assert refused(packed + b"what else" * 3, form) == ["ARCHIVE_CORRUPT"]
    assert scan(io.BytesIO(packed + bytes(512)), form, scratch=NOWHERE).accepted
