"""The BLAKE3 digests of a tree's files, gathered while it was written.

They let whoever installs the tree keep a record of it without reading it again. Memory: about 200 bytes a
file however long its path is, because paths are kept as digests too.
"""

from __future__ import annotations

from hashlib import blake2b


class FileDigests:
    """Digests by path, relative to the tree's root."""

    def __init__(self) -> None:
        self._digests: dict[bytes, bytes] = {}
        self._root = ""

    def add(self, path: str, digest: bytes) -> None:
        """Note the digest (32 bytes) of the file at ``path``."""
        self._digests[_key(path)] = digest

    def move_root(self, directory: str) -> None:
        """From now on paths are relative to ``directory``, which became the root."""
        self._root = f"{directory}/"

    def digest_of(self, path: str) -> bytes | None:
        """The digest of the file at ``path``; None if no such file was written."""
        return self._digests.get(_key(self._root + path))


def _key(path: str) -> bytes:
    return blake2b(path.encode(), digest_size=16).digest()
