"""``content_sha256``: one number for the content of a tree, however it is packed.

It is the sha256 of the tree's canonical tar; of a single file, of its bytes. Of an archive it is computed
while the archive is read, as long as its entries come in canonical order; of a directory by reading it.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from .canonical_tar import CanonicalTar
from .tar_header import END_OF_ARCHIVE, directory_header, file_header, link_header, padding

_READ_BYTES = 1 << 20


def directory_checksum(directory: Path, *, honour_ignore_file: bool = True) -> str:
    """The content_sha256 of a directory, in lower-case hexadecimal.

    ``honour_ignore_file`` is for the tree a person works in; what was unpacked is taken as it is. Raises
    ``EntryRefused``, ``TreeUnreadable``.
    """
    digest = sha256()
    for block in CanonicalTar(directory, honour_ignore_file=honour_ignore_file):
        digest.update(block)
    return digest.hexdigest()


def file_checksum(source: BinaryIO) -> str:
    """The content_sha256 of a single file, from the source's position to its end."""
    digest = sha256()
    while data := source.read(_READ_BYTES):
        digest.update(data)
    return digest.hexdigest()


class CanonicalDigest:
    """Computes content_sha256 from entries as they come, until one comes out of canonical order.

    A directory is part of the canonical tar only when nothing stands in it, which shows with the next
    entry: it waits until then. Feed a file's content between ``begin_file`` and ``end_file``.
    """

    def __init__(self) -> None:
        self._digest = sha256()
        self._last_key = b""
        self._waiting_directory = ""
        self._file_size = 0
        self.in_order = True

    def begin_file(self, path: str, size_bytes: int, *, executable: bool) -> None:
        """A file begins; ``size_bytes`` of content follow."""
        if self._follows(path, path):
            self._digest.update(file_header(path, size_bytes, executable=executable))
            self._file_size = size_bytes

    def update(self, data: bytes) -> None:
        """More of the file's content."""
        if self.in_order:
            self._digest.update(data)

    def end_file(self) -> None:
        """The file has ended."""
        self.update(padding(self._file_size))

    def add_link(self, path: str, target: str) -> None:
        """A symbolic link."""
        if self._follows(path, path):
            self._digest.update(link_header(path, target))

    def add_directory(self, path: str) -> None:
        """A directory, empty or not."""
        if self._follows(path, f"{path}/"):
            self._waiting_directory = path

    def give_up(self) -> None:
        """Something came that cannot be added in one pass."""
        self.in_order = False

    def hexdigest(self) -> str | None:
        """content_sha256 of all that was added; None when it did not come in canonical order."""
        if not self.in_order:
            return None
        self._settle_directory(b"")
        digest = self._digest.copy()
        digest.update(END_OF_ARCHIVE)
        return digest.hexdigest()

    def _follows(self, path: str, key_text: str) -> bool:
        key = key_text.encode()
        if self.in_order and key <= self._last_key:
            self.in_order = False
        if self.in_order:
            self._settle_directory(key)
            self._last_key = key
        return self.in_order

    def _settle_directory(self, next_key: bytes) -> None:
        waiting = self._waiting_directory
        if waiting and not next_key.startswith(f"{waiting}/".encode()):
            self._digest.update(directory_header(waiting))
        self._waiting_directory = ""
