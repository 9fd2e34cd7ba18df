"""A node comes to what is live by itself, and tells a database that is older than what it has obeyed."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from longshore_server.disk import LiveLinks, StaleGeneration
from longshore_server.identity import Identity
from longshore_server.unbroken import in_thread
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, converging, lacking, restored
from longshore_storage.catalogue.rows import Actor

# Whoever deploys wakes the node many times a second.
_CATCH_UP_EVERY_S: Final = 2.0
_COMPARE_EVERY_S: Final = 60.0


class Converging:
    """What a node sees to without being told: it joined, was away or failed, or the database was restored."""

    def __init__(
        self,
        catalogue: Catalogue,
        wakeups: Wakeups,
        identity: Identity,
        links: LiveLinks,
        on_ahead: Callable[[], None],
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._identity = identity
        self._links = links
        self._on_ahead = on_ahead
        self._actor = Actor(f"node:{identity.name}")
        self._behind = _Pace(_CATCH_UP_EVERY_S)
        self._ahead = _Pace(_COMPARE_EVERY_S)
        self._has_looked = False

    async def look(self) -> None:
        """Assign to this node what it lacks, where nobody else sees to that. Raises what stores raise."""
        if self._behind.is_due():
            await self._catch_up()
        if self._ahead.is_due():
            await self._compare()

    async def _catch_up(self) -> None:
        node_id = self._identity.node_id
        async with self._catalogue.reading() as transaction:
            behind = await lacking.behind(transaction, node_id)
            now = await transaction.now() if behind else None
        # What failed while the node was away, for being away, is tried as soon as it is back.
        is_back, self._has_looked = not self._has_looked, True
        for one in behind:
            if is_back or (now is not None and one.is_due(now)):
                async with self._catalogue.transaction() as transaction:
                    await converging.catch_up(transaction, node_id, one.project, self._actor)

    async def _compare(self) -> None:
        """Whether the database knows of everything that was obeyed here."""
        own = await in_thread(self._links.generations)
        if not own:
            return
        async with self._catalogue.reading() as transaction:
            ahead = await restored.ahead(transaction, self._identity.node_id, own)
        for project in ahead:
            await self.raise_past(project, own[project])

    async def refuse(self, stale: StaleGeneration) -> None:
        """Have the assignment made anew, with a generation that this node obeys."""
        await self.raise_past(stale.project, stale.own)

    async def raise_past(self, project: str, own: int) -> None:
        """Raise a place's generation past what this node has obeyed there."""
        async with self._catalogue.transaction() as transaction:
            await restored.raise_past(transaction, self._identity.node_id, project, own, self._actor)
        self._on_ahead()
        self._wakeups.send(Kind.ROLLOUTS, rollout_ident(project, self._identity.environment))


class _Pace:
    """Is due at once, and then as often as it says."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._due_at = monotonic()

    def is_due(self) -> bool:
        """Whether it is time; then the next time is later."""
        if monotonic() < self._due_at:
            return False
        self._due_at = monotonic() + self._every_s
        return True
