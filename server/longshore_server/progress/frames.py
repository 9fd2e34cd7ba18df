"""A bounded stretch of one deployment's newest events, each serialised once for all who follow.

A frame is a message with one event; frames one behind the other are one message with all of them, which is
how protobuf merges. So a message for however many events is put together without looking into them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

_KEPT_EVENTS: Final = 512
_KEPT_BYTES: Final = 4 << 20
# Of a follower that never reads, one message lies with gRPC. An event that is larger goes alone.
MESSAGE_BYTES = 64 << 10


class Frame(NamedTuple):
    """One event, serialised."""

    sequence: int
    data: bytes


class Stretch(NamedTuple):
    """A message with the next events, up to number ``last``; empty where there are none."""

    data: bytes
    last: int


def joined(frames: Iterable[Frame], after: int) -> Stretch:
    """The first of these frames in one message: as many as fit."""
    parts: list[bytes] = []
    size_bytes = 0
    for frame in frames:
        size_bytes += len(frame.data)
        if parts and size_bytes > MESSAGE_BYTES:
            break
        parts.append(frame.data)
        after = frame.sequence
    return Stretch(b"".join(parts), after)


class Frames:
    """The newest events, from some number on without a hole; older ones are only in SQL."""

    def __init__(self, begin_after: int) -> None:
        self._before = begin_after
        self._sequences: list[int] = []
        self._frames: list[Frame] = []
        self._size_bytes = 0

    @property
    def last(self) -> int:
        """The newest event's number."""
        return self._sequences[-1] if self._sequences else self._before

    def add(self, frames: Iterable[Frame]) -> None:
        """Append what comes next; the oldest go when there are too many."""
        for frame in frames:
            self._sequences.append(frame.sequence)
            self._frames.append(frame)
            self._size_bytes += len(frame.data)
        excess = max(len(self._frames) - _KEPT_EVENTS, 0)
        self._size_bytes -= sum(len(frame.data) for frame in self._frames[:excess])
        while self._size_bytes > _KEPT_BYTES:
            self._size_bytes -= len(self._frames[excess].data)
            excess += 1
        self._drop(excess)

    def forget(self) -> None:
        """Drop everything: whoever has not had it reads it from SQL."""
        self._drop(len(self._frames))
        self._size_bytes = 0

    def after(self, sequence: int) -> Stretch | None:
        """What comes behind ``sequence``; None when some of it is only in SQL."""
        if sequence < self._before:
            return None
        begin = bisect_right(self._sequences, sequence)
        return joined((self._frames[place] for place in range(begin, len(self._frames))), sequence)

    def _drop(self, count: int) -> None:
        if count:
            self._before = self._sequences[count - 1]
            del self._sequences[:count]
            del self._frames[:count]
