"""Which uploads of a node take bytes at a time: so many do, some wait in order, the others are refused.

A place is the right to the memory that one upload needs. It is booked when an upload is accepted, taken
when its first bytes come or its stored payload is looked through, and left when its session ends. Whoever
has one waits for no other, so that no ring of waiting can form.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from .errors import TooManyUploads


class Places:
    """The places of one node: ``at_once`` can be taken, and ``waiting`` more be booked.

    Half of the one and of the other are all that one owner has, if he has a name: however slowly he sends,
    others are not kept out.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._most_waiting = waiting
        self._taken = self._given_up = 0
        self._queue: deque[Place] = deque()
        self._by_owner: Counter[str] = Counter()
        self._taken_by: Counter[str] = Counter()
        self.booked = 0

    @property
    def waiting(self) -> int:
        """How many wait in the queue."""
        return len(self._queue)

    def book(self, owner: str = "") -> Place:
        """Let an upload in. Raises ``TooManyUploads`` when as many are in as may take bytes and wait."""
        most = self._at_once + self._most_waiting
        if self.booked >= most:
            raise TooManyUploads(
                f"{self._at_once} uploads take bytes on this node and {self._most_waiting} more wait for "
                "their turn"
            )
        share = (most + 1) // 2
        if owner and self._by_owner[owner] >= share:
            raise TooManyUploads(f"{share} of this node's uploads are {owner}'s: more are not one's alone")
        self.booked += 1
        self._by_owner[owner] += 1
        return Place(self, owner)

    def _join(self, place: Place) -> None:
        self._queue.append(place)
        self._let_in()

    def _leave(self, place: Place) -> None:
        self.booked -= 1
        self._by_owner[place.owner] -= 1
        if not self._by_owner[place.owner]:
            del self._by_owner[place.owner]
        if place.is_taken:
            self._taken -= 1
            self._taken_by -= Counter([place.owner])
            self._let_in()
        elif place in self._queue:
            self._queue.remove(place)

    def _let_in(self) -> None:
        while self._taken < self._at_once:
            place = next((each for each in self._queue if self._may_take(each.owner)), None)
            if place is None:
                return
            self._queue.remove(place)
            self._taken += 1
            self._taken_by[place.owner] += 1
            place._turn.set()

    def _may_take(self, owner: str) -> bool:
        return not owner or self._taken_by[owner] < (self._at_once + 1) // 2

    def _waiting_for(self, place: Place) -> int:
        """How many could take a place, were it left."""
        return sum(each.owner == place.owner or self._may_take(each.owner) for each in self._queue)


class Place:
    """One upload's place, made by ``Places.book``. What is not left stays booked."""

    def __init__(self, places: Places, owner: str) -> None:
        self._places = places
        self.owner = owner
        self._turn = asyncio.Event()
        self._joined = self._gives_up = self._left = False

    @property
    def is_taken(self) -> bool:
        """Whether the upload may take bytes."""
        return self._turn.is_set()

    def join(self) -> int:
        """Take the place or stand in the queue for it; tells how many stand there up to this one."""
        if not self._joined:
            self._joined = True
            self._places._join(self)
        return 0 if self.is_taken else self._places._queue.index(self) + 1

    async def take(self) -> None:
        """Wait until the place is taken; who joined earlier comes first."""
        self.join()
        await self._turn.wait()

    def give_up(self) -> bool:
        """Whether the upload is to leave for one that waits: as many are as wait for it, and not more."""
        places = self._places
        if not self.is_taken or places._waiting_for(self) <= places._given_up:
            return False
        self._gives_up = True
        places._given_up += 1
        return True

    def leave(self) -> None:
        """Let the next one in; once is enough."""
        if not self._left:
            self._left = True
            self._places._given_up -= self._gives_up
            self._places._leave(self)
