"""The formats of a payload, and how one is told from its first bytes.

An archive by its bytes is still a file to be installed as it is when its name says that it is a package
of another kind: a wheel or a jar is a zip, a crate is a tar.gz. And what is named as an archive is one though
its first bytes are none: a proxy's page of an error in ``site.tar.gz``, or a download that was cut off, is
damaged and must not go live as a file of that name.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from enum import StrEnum

import zstandard

DETECT_BYTES = 256 * 1024
"""How many of the first bytes ``detect_format`` wants: more than the longest compressed block."""
XZ_MEMORY_BYTES = 256 << 20
"""What decompressing xz may allocate; its strongest preset needs 65 MiB."""
ZSTD_WINDOW_BYTES = 128 << 20
"""The largest window of zstd that is accepted, as for its command line without ``--long``."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_XZ_MAGIC = b"\xfd7zXZ\0"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_BLOCK_BYTES = 512

_PACKAGE_SUFFIXES = (
    *(".whl", ".egg", ".pyz", ".jar", ".war", ".ear", ".aar", ".apk", ".aab", ".ipa", ".xpi", ".crx"),
    *(".vsix", ".nupkg", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub", ".kmz", ".3mf"),
    *(".crate", ".gem", ".ova", ".conda", ".box"),
)


class PayloadFormat(StrEnum):
    """How a payload is unpacked; FILE is installed as it is."""

    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_ZST = "tar.zst"
    TAR_XZ = "tar.xz"
    ZIP = "zip"
    FILE = "file"


_ARCHIVE_SUFFIXES = {
    ".tar": PayloadFormat.TAR,
    ".tar.gz": PayloadFormat.TAR_GZ,
    ".tgz": PayloadFormat.TAR_GZ,
    ".tar.zst": PayloadFormat.TAR_ZST,
    ".tzst": PayloadFormat.TAR_ZST,
    ".tar.xz": PayloadFormat.TAR_XZ,
    ".txz": PayloadFormat.TAR_XZ,
    ".zip": PayloadFormat.ZIP,
}


def detect_format(head: bytes, file_name: str = "") -> PayloadFormat:
    """The format of a payload that begins with ``head`` (its first ``DETECT_BYTES``, or all of it).

    What is no archive by its bytes is what its name says, else a FILE.
    """
    name = file_name.lower()
    if name.endswith(_PACKAGE_SUFFIXES):
        return PayloadFormat.FILE
    found = _format_of(head)
    if found is not PayloadFormat.FILE:
        return found
    named = (said for suffix, said in _ARCHIVE_SUFFIXES.items() if name.endswith(suffix))
    return next(named, PayloadFormat.FILE)


def _format_of(head: bytes) -> PayloadFormat:
    if head.startswith(_ZIP_MAGICS):
        return PayloadFormat.ZIP
    if _is_tar(head):
        return PayloadFormat.TAR
    try:
        if head.startswith(_GZIP_MAGIC):
            unpacked = zlib.decompressobj(wbits=31).decompress(head, _TAR_BLOCK_BYTES)
            return PayloadFormat.TAR_GZ if _is_tar(unpacked) else PayloadFormat.FILE
        if head.startswith(_XZ_MAGIC):
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)
            unpacked = decompressor.decompress(head, _TAR_BLOCK_BYTES)
            return PayloadFormat.TAR_XZ if _is_tar(unpacked) else PayloadFormat.FILE
        if head.startswith(_ZSTD_MAGIC):
            reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).stream_reader(
                io.BytesIO(head)
            )
            return PayloadFormat.TAR_ZST if _is_tar(reader.read(_TAR_BLOCK_BYTES)) else PayloadFormat.FILE
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError):
        pass
    return PayloadFormat.FILE


def _is_tar(head: bytes) -> bool:
    """Whether a block with a tar header's checksum comes first."""
    try:
        tarfile.TarInfo.frombuf(head[:_TAR_BLOCK_BYTES], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
