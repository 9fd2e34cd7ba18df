"""What a node has a limited number of, at most a part of it for one principal.

Whoever is not known by name is not bounded apart: without access control all are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from longshore_server.refusal import Refusal

from .callers import ANONYMOUS, current_caller


class Shares:
    """At most ``most`` of ``what``, ``most_of_one`` (half of them) of one principal; ``count`` is how many.

    ``refusal`` makes a refusal of the reason why there is no place.
    """

    def __init__(
        self, most: int, what: str, refusal: Callable[[str], Refusal], *, most_of_one: int | None = None
    ) -> None:
        self._most = most
        self._most_of_one = (most + 1) // 2 if most_of_one is None else most_of_one
        self._what = what
        self._refusal = refusal
        self._by_principal: Counter[str] = Counter()
        self.count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the caller for as long as the block runs; raises ``Refusal`` where there are too many."""
        principal = current_caller().identity.principal
        if self.count >= self._most:
            raise self._refusal(f"{self.count} {self._what} are all that this node takes")
        if principal != ANONYMOUS and self._by_principal[principal] >= self._most_of_one:
            raise self._refusal(
                f"{self._most_of_one} of this node's {self._what} are {principal}'s: more are not one's alone"
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
