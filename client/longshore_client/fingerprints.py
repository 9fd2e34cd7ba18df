"""What a payload was when it was first read, so that one which changed since is not put together of two."""

from __future__ import annotations

from typing import Final

from .errors import PayloadChanged

_FINGERPRINT_BYTES: Final = 8


class Fingerprints:
    """Digests of a payload's parts, kept over the attempts of one upload: 128 KiB for a GiB in chunks.

    What the server holds already is not sent again, so that every attempt must read the same bytes.
    """

    def __init__(self) -> None:
        self._seen = bytearray()

    def check(self, index: int, digest: bytes) -> None:
        """Note the digest of part ``index``, or compare it. Raises ``PayloadChanged``."""
        at = index * _FINGERPRINT_BYTES
        mark = digest[:_FINGERPRINT_BYTES]
        if at == len(self._seen):
            self._seen += mark
        elif self._seen[at : at + _FINGERPRINT_BYTES] != mark:
            raise PayloadChanged("the payload changed between two attempts to send it")
