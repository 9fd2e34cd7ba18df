"""Builds archives field by field, and says what they are refused for."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest

from longshore_bundles import ContentRefused, PayloadFormat, UnpackLimits, scan, unpack
from longshore_bundles.limits import DEFAULT_LIMITS
from longshore_bundles.tar_header import END_OF_ARCHIVE, file_header, padding
from tests.bundles.trees import names_in

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


def small(**limits: int) -> UnpackLimits:
    return UnpackLimits(**{"ratio_free_bytes": 1 << 20, **limits})


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
