"""The record of an installed tree: what every file of it was when it was finished.

JSON lines beside the tree, written and read as a stream: a header, then an entry for everything in the tree
in the order of the canonical tar (bytewise by path, directories as if they ended in a slash), then an end
that counts and digests the lines before it. Invariant: a record that is cut short or changed is not
believed, and neither is its tree. Modes and sizes must be as recorded; where only the inode or one of the
times of its last change differs, the file is read and its BLAKE3 digest decides. One of these times is the
file system's own, which nobody can set back: whoever changes content and restores everything else is found.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

from blake3 import blake3

from longshore_bundles import FileDigests

from .errors import StagedTreeRefused

FORMAT: Final = 1
_FOLDER_MODE: Final = 0o555
_READ_BYTES: Final = 1 << 20
# Far above what two paths of the longest kind take.
_LONGEST_LINE_BYTES: Final = 1 << 20
# Of ten thousand lines, ``json.loads`` would take twice the time.
_DECODER: Final = json.JSONDecoder()
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))

RecordLine: TypeAlias = dict[str, Any]
"""An entry of a record, or its end, as docs/formats.md shows them."""


class RecordDamaged(Exception):
    """A record cannot be read, or is of a format that this program does not know."""


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """Whose tree it is; ``is_canonical`` says that its canonical tar is exactly the payload's bytes."""

    project: str
    version: str
    payload_sha256: str
    content_sha256: str
    is_canonical: bool


def seal_and_record(
    root: Path, record: Path, header: RecordHeader, digests: FileDigests | None = None
) -> None:
    """Make everything below ``root`` read-only and write its record; durable is only the record.

    ``root`` itself is left as it is: a read-only folder cannot be moved to another by everyone. Files that
    ``digests`` does not know are read. Raises ``StagedTreeRefused`` and ``OSError``.
    """
    with record.open("xb") as file:
        digest, count = blake3(), 0

        def write(line: RecordLine) -> None:
            encoded = _encode(line)
            digest.update(encoded)
            file.write(encoded)

        write({"format": FORMAT, **asdict(header)})
        for path, child in walk_tree(root):
            status = child.stat(follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                Path(child.path).chmod(sealed_mode(path, status.st_mode))
            line = _describe(path, child)
            if "file" in line:
                known = digests.digest_of(path) if digests else None
                line["blake3"] = known.hex() if known else _digest_file(child.path)
            write(line)
            count += 1
        file.write(_encode({"entries": count, "blake3": digest.hexdigest()}))
        file.flush()
        os.fsync(file.fileno())


def read_header(record: Path) -> RecordHeader:
    """The first line of a record. Raises ``RecordDamaged`` and ``FileNotFoundError``."""
    with record.open("rb") as file:
        return _header(file.readline())


def tree_matches(root: Path, record: Path) -> bool:
    """Whether the tree is what its record says: nothing changed, missing or added.

    The mode of ``root`` itself does not count. Whatever cannot be read does not match.
    """
    try:
        for expected, found in zip_longest(_entries(record), walk_tree(root)):
            if expected is None or found is None or not _same(expected, *found):
                return False
    except (RecordDamaged, StagedTreeRefused, OSError):
        return False
    return True


def recorded_lines(record: Path) -> Iterator[tuple[int, RecordLine]]:
    """The entries of a record and then its end, each with the byte at which its line begins.

    Raises ``RecordDamaged``, at the latest in place of the end, and ``OSError``.
    """
    digest, count = blake3(), 0
    with record.open("rb") as file:
        first = file.readline()
        _header(first)
        digest.update(first)
        position = len(first)
        for encoded in file:
            line = _decode(encoded)
            if "entries" in line:
                if line != {"entries": count, "blake3": digest.hexdigest()} or file.read(1):
                    break
                yield position, line
                return
            digest.update(encoded)
            count += 1
            yield position, line
            position += len(encoded)
    raise RecordDamaged("its end is missing or does not fit the rest")


def lines_from(record: BinaryIO, position: int) -> Iterator[tuple[int, RecordLine]]:
    """The same of an open record from a line's begin on, without any check of the whole."""
    record.seek(position)
    while encoded := record.readline(_LONGEST_LINE_BYTES):
        yield position, _decode(encoded)
        position += len(encoded)


def recorded_size_bytes(record: Path) -> int:
    """How many bytes the files of a tree have by its record; 0 where that cannot be read."""
    try:
        return sum(int(line.get("size_bytes", 0)) for line in _entries(record))
    except (RecordDamaged, OSError):
        return 0


def _same(expected: RecordLine, path: str, child: os.DirEntry[str]) -> bool:
    found = _describe(path, child)
    digest = expected.pop("blake3", None)
    if found == expected:
        return True
    for may_differ in ("inode", "mtime_ns", "ctime_ns"):
        found.pop(may_differ, None)
        expected.pop(may_differ, None)
    return "file" in found and found == expected and _digest_file(child.path) == digest


def walk_tree(
    root: Path, above: str = "", *, tolerant: bool = False
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below ``root``, with its path; a directory before what is in it.

    Raises ``OSError`` for a folder that cannot be read, unless it is ``tolerant``: then that counts as empty.
    """
    try:
        with os.scandir(root) as found:
            children = [(child.is_dir(follow_symlinks=False), child) for child in found]
    except OSError:
        if tolerant:
            return
        raise
    children.sort(key=lambda item: os.fsencode(item[1].name + "/" * item[0]))
    for is_directory, child in children:
        path = f"{above}{child.name}"
        yield path, child
        if is_directory:
            yield from walk_tree(Path(child.path), f"{path}/", tolerant=tolerant)


def sealed_mode(path: str, mode: int) -> int:
    """The mode that an installed tree's entry has. Raises ``StagedTreeRefused`` for what none may have."""
    if stat.S_ISDIR(mode):
        return _FOLDER_MODE
    if stat.S_ISREG(mode):
        return 0o555 if mode & stat.S_IXUSR else 0o444
    raise StagedTreeRefused(path)


def _describe(path: str, child: os.DirEntry[str]) -> RecordLine:
    """An entry's line, without the digest. Stats anew: what the directory entry remembers may be older."""
    status = os.lstat(child.path)
    if stat.S_ISLNK(status.st_mode):
        return {"link": path, "target": os.readlink(child.path)}  # noqa: PTH115 (a Path would tidy it up)
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    if stat.S_ISDIR(status.st_mode):
        return {"directory": path, "mode": mode}
    if not stat.S_ISREG(status.st_mode):
        raise StagedTreeRefused(path)
    return {
        "file": path,
        "mode": mode,
        "size_bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
    }


def _entries(record: Path) -> Iterator[RecordLine]:
    """The entries of a record. Raises ``RecordDamaged``, at the latest where its end should be."""
    return (line for _, line in recorded_lines(record) if "entries" not in line)


def _header(encoded: bytes) -> RecordHeader:
    line = _decode(encoded)
    if line.pop("format", None) != FORMAT:
        raise RecordDamaged(f"it is not of format {FORMAT}")
    try:
        return RecordHeader(**line)
    except TypeError as error:
        raise RecordDamaged("its header is incomplete") from error


def _encode(line: RecordLine) -> bytes:
    # ASCII: names that are not UTF-8 and line breaks in names survive as escapes.
    return _ENCODER.encode(line).encode() + b"\n"


def _decode(encoded: bytes) -> RecordLine:
    try:
        line, end = _DECODER.raw_decode(encoded.decode("ascii"))
        if encoded[end:] != b"\n":
            raise ValueError("more than one")
    except ValueError as error:
        raise RecordDamaged("a line is not JSON") from error
    if not isinstance(line, dict):
        raise RecordDamaged("a line is not an object")
    return line


def _digest_file(location: str) -> str:
    digest = blake3()
    with Path(location).open("rb") as file:
        while data := file.read(_READ_BYTES):
            digest.update(data)
    return digest.hexdigest()
