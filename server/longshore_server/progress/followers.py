"""How many follow on a node: bounded together, and for each principal to half of that.

Whoever is not known by name is not bounded apart: without access control all are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from longshore_server.access import current_caller
from longshore_server.access.callers import ANONYMOUS
from longshore_server.refusal import Reason, Refusal

_COME_BACK_AFTER_S: Final = 5.0


class Followers:
    """The followers of a node, at most ``most``; ``count`` is how many there are."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_one = (most + 1) // 2
        self._by_principal: Counter[str] = Counter()
        self.count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the caller for as long as the block runs; raises ``Refusal`` where there are too many."""
        principal = current_caller().identity.principal
        if self.count >= self._most:
            raise _too_many(f"{self.count} followers are all that this node takes")
        if principal != ANONYMOUS and self._by_principal[principal] >= self._most_of_one:
            raise _too_many(
                f"{self._most_of_one} of this node's followers are {principal}'s: more are not one's alone"
            )
        self.count += 1
        self._by_principal[principal] += 1
        try:
            yield
        finally:
            self.count -= 1
            self._by_principal[principal] -= 1
            if not self._by_principal[principal]:
                del self._by_principal[principal]


def _too_many(why: str) -> Refusal:
    return Refusal(
        Reason.TOO_MANY_FOLLOWERS,
        f"{why}: follow at another one, or later",
        retry_after_s=_COME_BACK_AFTER_S,
    )
