"""The header of one entry of a canonical tar, byte for byte.

Owns the bytes that ``content_sha256`` rests on, so they are written here field by field and not by the
standard library, whose choices may change between releases of Python (how it fills unused fields did).
They are what ``tarfile.PAX_FORMAT`` of Python 3.11 to 3.13 writes: ustar, and before it a pax header with
``path``, ``linkpath`` and ``size``, in this order, each only where the field cannot hold the value. The
prefix field stays empty. Format: POSIX.1-2001, "pax Interchange Format" and "ustar Interchange Format".
"""

from __future__ import annotations

BLOCK_BYTES = 512
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)

_FILE = b"0"
_LINK = b"2"
_DIRECTORY = b"5"
_PAX = b"x"
_PAX_NAME = "././@PaxHeader"

_FIELD_BYTES = 100
_MAX_FIELD_SIZE = 8**11 - 1


def file_header(path: str, size_bytes: int, *, executable: bool) -> bytes:
    """The header of a regular file; ``padding(size_bytes)`` follows its content."""
    return _header(path, _FILE, size_bytes=size_bytes, mode=0o755 if executable else 0o644)


def link_header(path: str, target: str) -> bytes:
    """The header of a symbolic link."""
    return _header(path, _LINK, mode=0o777, target=target)


def directory_header(path: str) -> bytes:
    """The header of a directory, whose ``path`` comes without its slash."""
    return _header(f"{path}/", _DIRECTORY, mode=0o755)


def padding(size_bytes: int) -> bytes:
    """The zeros that follow ``size_bytes`` of content."""
    return bytes(-size_bytes % BLOCK_BYTES)


def _header(path: str, entry_type: bytes, *, mode: int, size_bytes: int = 0, target: str = "") -> bytes:
    records = b""
    if _needs_pax(path):
        records += _record("path", path)
    if _needs_pax(target):
        records += _record("linkpath", target)
    if size_bytes > _MAX_FIELD_SIZE:
        records += _record("size", str(size_bytes))
    header = _block(path, entry_type, size_bytes, mode, target)
    if not records:
        return header
    return _block(_PAX_NAME, _PAX, len(records), 0, "") + records + padding(len(records)) + header


def _needs_pax(name: str) -> bool:
    return len(name) > _FIELD_BYTES or not name.isascii()


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _block(name: str, entry_type: bytes, size_bytes: int, mode: int, target: str) -> bytes:
    field_size = size_bytes if size_bytes <= _MAX_FIELD_SIZE else 0
    header = bytearray(BLOCK_BYTES)
    header[0:100] = _field(name)
    header[100:108] = b"%07o\0" % mode
    header[108:116] = header[116:124] = b"0000000\0"
    header[124:136] = b"%011o\0" % field_size
    header[136:148] = b"00000000000\0"
    header[148:156] = b"        "
    header[156:157] = entry_type
    header[157:257] = _field(target)
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _field(text: str) -> bytes:
    return text.encode("ascii", "replace")[:_FIELD_BYTES].ljust(_FIELD_BYTES, b"\0")
