"""How many there were of something in the last minute."""

from __future__ import annotations

import threading
import time
from collections import deque


class Minute:
    """As far as they were counted, and at most ``most``; from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self) -> bool:
        """Count one more; False, and it does not count, where there were as many as there may be."""
        now_s = time.monotonic()
        with self._lock:
            while self._times and self._times[0] < now_s - 60:
                self._times.popleft()
            if len(self._times) >= self._most:
                return False
            self._times.append(now_s)
            return True
