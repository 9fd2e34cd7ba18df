from __future__ import annotations

import gzip
import lzma
import random

import pytest
import zstandard

from longshore_bundles import DETECT_BYTES, PayloadFormat, detect_format
from tests.bundles.trees import TAR_FORMATS, File, compressed, make_tar, make_zip

NOISE = random.Random(0).randbytes(3 << 20)
BIG_TAR = make_tar({"noise": File(NOISE)})


@pytest.mark.parametrize("payload_format", TAR_FORMATS)
@pytest.mark.parametrize("tar", [BIG_TAR, make_tar({"a": File(b"")})], ids=["big", "small"])
def test_tars_are_known_by_their_first_bytes(payload_format: PayloadFormat, tar: bytes) -> None:
    head = compressed(tar, payload_format)[:DETECT_BYTES]
    assert detect_format(head) is payload_format
    assert detect_format(head, "release-1.2.3") is payload_format


def test_zips_are_archives_unless_their_name_says_otherwise() -> None:
    data = make_zip({"a": File(b"1")})
    assert detect_format(data) is PayloadFormat.ZIP
    assert detect_format(data, "x.zip") is PayloadFormat.ZIP
    for name in ("x-1.0-py3-none-any.whl", "app.JAR", "doc.docx"):
        assert detect_format(data, name) is PayloadFormat.FILE
    assert detect_format(make_zip({})) is PayloadFormat.ZIP
    assert detect_format(compressed(BIG_TAR, PayloadFormat.TAR_GZ), "x.crate") is PayloadFormat.FILE


@pytest.mark.parametrize(
    ("name", "payload_format"),
    [
        ("site.tar", PayloadFormat.TAR),
        ("site.tar.gz", PayloadFormat.TAR_GZ),
        ("SITE.TGZ", PayloadFormat.TAR_GZ),
        ("site-1.2.tar.zst", PayloadFormat.TAR_ZST),
        ("site.tzst", PayloadFormat.TAR_ZST),
        ("site.tar.xz", PayloadFormat.TAR_XZ),
        ("site.txz", PayloadFormat.TAR_XZ),
        ("site.zip", PayloadFormat.ZIP),
        ("site.gz", PayloadFormat.FILE),
        ("tar", PayloadFormat.FILE),
    ],
)
@pytest.mark.parametrize("head", [b"", b"<html>502 Bad Gateway</html>", b"\x1f\x8b\x08\x00damaged"])
def test_what_is_named_as_an_archive_is_no_file(
    head: bytes, name: str, payload_format: PayloadFormat
) -> None:
    assert detect_format(head, name) is payload_format


@pytest.mark.parametrize("payload_format", TAR_FORMATS)
def test_an_archive_is_what_its_bytes_are_whatever_its_name(payload_format: PayloadFormat) -> None:
    head = compressed(BIG_TAR, payload_format)[:DETECT_BYTES]
    for name in ("site.tar", "site.zip", "site.tgz", "site.txt"):
        assert detect_format(head, name) is payload_format


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 1024,
        b"#!/bin/sh\n",
        NOISE,
        gzip.compress(b"log lines", mtime=0),
        lzma.compress(NOISE),
        zstandard.compress(b"text"),
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x00damaged",
        b"\x28\xb5\x2f\xfd",
        b"\xfd7zXZ\0damaged and long enough",
        b"PK\x03",
    ],
)
def test_everything_else_is_a_file(data: bytes) -> None:
    assert detect_format(data[:DETECT_BYTES]) is PayloadFormat.FILE
