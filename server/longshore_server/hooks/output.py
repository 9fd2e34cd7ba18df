"""The end of what a hook puts out: its last lines, whatever its bytes are and however many they were."""

from __future__ import annotations

from typing import Final

KEPT_LINES: Final = 200
KEPT_BYTES: Final = 16 << 10


class OutputTail:
    """Keeps the last 200 lines, or 16 KiB, of a stream of bytes."""

    def __init__(self) -> None:
        self._kept = b""
        self._breaks = 0
        self.size_bytes = 0

    def add(self, data: bytes) -> None:
        """Take what came next."""
        self._kept = (self._kept + data)[-KEPT_BYTES:]
        self._breaks += data.count(b"\n")
        self.size_bytes += len(data)

    def say(self, line: str) -> None:
        """Take a line that is the node's own."""
        self.add(line.encode() + b"\n")

    def line_count(self, *, whole: bool) -> int:
        """How many lines came in all, the dropped ones included; ``whole`` counts an unfinished last one."""
        return self._breaks + (whole and bool(self._kept) and not self._kept.endswith(b"\n"))

    def lines(self, *, whole: bool) -> list[str]:
        """The last lines, without an unfinished one unless they are to be ``whole``.

        What is not UTF-8, and NUL, which no database takes, is replaced.
        """
        lines = self._kept.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}").split("\n")
        if not lines[-1] or not whole:
            lines.pop()
        if self.size_bytes > KEPT_BYTES and len(lines) > 1:
            # Where it was cut is hardly where a line begins.
            del lines[0]
        return [line.rstrip("\r") for line in lines[-KEPT_LINES:]]
