"""Whether this node takes new work: one answer for its uploads, its health and its rollouts."""

from __future__ import annotations

from collections.abc import Callable


class Draining:
    """Who looks at it sees the answer of now; ``on_change`` is called whenever that is another one."""

    def __init__(self) -> None:
        self._stopping = False
        self._drained = False
        self._hands_over = False
        self._on_change: list[Callable[[], None]] = []

    @property
    def takes_no_uploads(self) -> bool:
        """Whether it stops, or people drain it."""
        return self._stopping or self._drained

    @property
    def is_drained(self) -> bool:
        """Whether people drain it."""
        return self._drained

    @property
    def hands_rollouts_over(self) -> bool:
        """Whether others are to drive rollouts: it is drained, and there are others."""
        return self._drained and self._hands_over

    def on_change(self, call: Callable[[], None]) -> None:
        """Have ``call`` called after every change."""
        self._on_change.append(call)

    def stop(self) -> None:
        """The node stops, whatever people say from now on."""
        self._stopping = True
        self._tell()

    def obey(self, *, drained: bool, others_drive: bool) -> None:
        """Take what people say, and whether another node could drive rollouts."""
        if (drained, others_drive) != (self._drained, self._hands_over):
            self._drained, self._hands_over = drained, others_drive
            self._tell()

    def _tell(self) -> None:
        for call in self._on_change:
            call()
