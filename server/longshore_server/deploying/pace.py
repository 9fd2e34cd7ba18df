"""Whether an upload trickles: measured only while the server waits for its client, never for a store."""

from __future__ import annotations


class Pace:
    """Looks at one stretch of waiting after the other; ``begin_at`` is the offset of the first byte."""

    def __init__(self, least_bytes_s: float, *, over_s: float, begin_at: int) -> None:
        self._least_bytes_s = least_bytes_s
        self._over_s = over_s
        self._begun_at = begin_at
        self._waited_s = 0.0

    def is_slow(self, waited_s: float, offset: int) -> bool:
        """Note that the server waited, and how far the payload is.

        True at the end of a stretch of ``over_s`` in which less came than ``least_bytes_s`` in the mean.
        """
        self._waited_s += waited_s
        if self._waited_s < self._over_s:
            return False
        is_slow = offset - self._begun_at < self._least_bytes_s * self._waited_s
        self._waited_s, self._begun_at = 0.0, offset
        return is_slow
