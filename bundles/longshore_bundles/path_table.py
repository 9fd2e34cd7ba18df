"""What is known of an archive's paths, in 30 bytes a path however long it is.

A dictionary takes five times that, of hundreds of thousands of paths in a dozen archives at once more than a
node has. Records stand in short arrays, and are looked for in one of them by the bytes they begin with.
"""

from __future__ import annotations

import os
from hashlib import blake2b

_DIGEST_BYTES = 12
_RECORD_BYTES = 2 * _DIGEST_BYTES + 1
_ARRAYS = 4096


class PathTable:
    """By a folded path, the path itself and a number below 256.

    Paths are kept as digests, with a key of its own: whoever makes an archive cannot have all of its paths
    meet in one array.
    """

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._arrays: dict[int, bytearray] = {}

    def digest(self, path: str) -> bytes:
        """What stands for a path here; for no other in practice."""
        return blake2b(path.encode(), digest_size=_DIGEST_BYTES, key=self._key).digest()

    def find(self, folded: bytes) -> tuple[bytes, int] | None:
        """The digest of the path that was added under a folded one's, and its number."""
        array = self._arrays.get(_place(folded))
        if array is None:
            return None
        at = array.find(folded)
        while at > 0 and at % _RECORD_BYTES:
            at = array.find(folded, at + 1)
        if at < 0:
            return None
        number_at = at + 2 * _DIGEST_BYTES
        return bytes(array[at + _DIGEST_BYTES : number_at]), array[number_at]

    def add(self, folded: bytes, exact: bytes, number: int) -> None:
        """Add a path, of which there was none under ``folded``."""
        array = self._arrays.setdefault(_place(folded), bytearray())
        array += folded
        array += exact
        array.append(number)


def _place(folded: bytes) -> int:
    return int.from_bytes(folded[:2]) % _ARRAYS
