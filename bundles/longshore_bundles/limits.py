"""The limits of unpacking, and the meter that holds them against the bytes that are really seen.

Invariant: no number out of an archive's header is trusted; what counts is what was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .errors import LimitExceeded

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """How much an archive may unpack to.

    ``max_entries`` counts directories that no entry names too: they are made, and remembered, all the same.
    ``max_headers`` counts what takes work and is no entry: a tar's extended headers with their records, and
    the streams (of xz) or members (of gzip) that a compressed one consists of.
    ``max_ratio`` bounds unpacked bytes by bytes of the archive, once more than ``ratio_free_bytes`` are
    unpacked: small archives of zeros do no harm.
    """

    max_entries: int = 500_000
    max_headers: int = 4_000_000
    max_total_bytes: int = 256 * _GIB
    max_file_bytes: int = 256 * _GIB
    max_ratio: int = 200
    ratio_free_bytes: int = 100 * _MIB


DEFAULT_LIMITS = UnpackLimits()


class Meter:
    """Counts what an archive unpacks to and stops it at the limits.

    ``source_bytes`` tells how many bytes of the archive the count stands for.
    """

    def __init__(self, limits: UnpackLimits, source_bytes: Callable[[], int]) -> None:
        self.limits = limits
        self._source_bytes = source_bytes
        self._entries = 0
        self._headers = 0
        self._total_bytes = 0

    def count_entry(self) -> None:
        """Count one entry. Raises ``LimitExceeded``."""
        self._entries += 1
        if self._entries > self.limits.max_entries:
            raise LimitExceeded(
                "TOO_MANY_ENTRIES",
                f"the archive has more than {self.limits.max_entries} entries: split it, or put what belongs "
                "together into an archive of its own inside",
            )

    def count_header(self) -> None:
        """Count a header, one of its records, or a stream. Raises ``LimitExceeded``."""
        self._headers += 1
        if self._headers > self.limits.max_headers:
            raise LimitExceeded(
                "TOO_MANY_HEADERS",
                f"the archive has more than {self.limits.max_headers} headers beside its entries, or parts "
                "that were compressed apart: make it anew, in one piece and without extended attributes",
            )

    def count_bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises ``LimitExceeded``."""
        self._total_bytes += count
        total = self._total_bytes
        if total > self.limits.max_total_bytes:
            raise LimitExceeded(
                "TOTAL_TOO_LARGE",
                f"the archive unpacks to more than {self.limits.max_total_bytes} bytes, which is the limit",
            )
        if total > self.limits.ratio_free_bytes and total > self.limits.max_ratio * self._source_bytes():
            raise LimitExceeded(
                "RATIO_TOO_HIGH",
                f"the archive unpacks to more than {self.limits.max_ratio} times its own size, as archive "
                "bombs do: if it is honest, deploy it as an uncompressed tar",
            )

    def check_file(self, path: str, size_bytes: int) -> None:
        """Hold one file's bytes so far against the limit. Raises ``LimitExceeded``."""
        if size_bytes > self.limits.max_file_bytes:
            raise LimitExceeded(
                "FILE_TOO_LARGE",
                f"{path!r} is larger than {self.limits.max_file_bytes} bytes, which is the limit for a file",
                path=path,
            )
