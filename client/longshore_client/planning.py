"""What must be deployed before a pack, in order: of what it needs, everything that is not live yet.

What is live in the environment and satisfies who needs it stays as it is. The rest is fetched from indexes,
and what that needs, too. Nothing is deployed here. It ends whatever an index answers: with so many packs, so
many versions of one, and so much time.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from longshore_bundles import Dependency
from longshore_bundles.packs import PackManifest

from .abandonable_thread import in_abandonable_thread
from .contents import FETCHED_LIMITS, findings_of, scanned
from .errors import DependenciesClash, DependencyUnsatisfied, PayloadRefused, ProjectNotFound
from .needed import Needed
from .source_errors import SourceError, SourceNotFound

if TYPE_CHECKING:
    from .client import Client
    from .sources import Deadline, Fetched, IndexSource

MOST_PACKS: Final = 200
MOST_VERSIONS: Final = 20
"""So often a pack is fetched again because another version is needed after all."""
PLANNED_WITHIN_S: Final = 3600.0

Fetch = Callable[["IndexSource", "Deadline"], "Fetched"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is live of a project in an environment; empty where nothing ever was."""

    version: str = ""
    deployment_id: str = ""

    def suffices(self, needed: Needed) -> bool:
        """Whether it is what all need that need it."""
        return bool(self.version) and needed.allows(self.version)


@dataclass(frozen=True, slots=True)
class PlannedPack:
    """A pack that is to be deployed: what was fetched of it, who needs it, and what was live in its place."""

    ref: str
    version: str
    fetched: Fetched
    needed: Needed
    replaced: Standing


async def plan_dependencies(
    client: Client, first: PackManifest, environment: str, fetch: Fetch
) -> Sequence[PlannedPack]:
    """What must be deployed in an environment before the pack of a manifest, in order.

    ``fetch`` brings a pack from an index; it blocks, and is called in a thread that is left behind where this
    is cancelled. Raises ``SourceError``, ``PayloadRefused`` for a pack with errors, and
    ``DependenciesClash`` where packs need each other in a circle, or in versions that do not go together.
    """
    plan = _Plan(client, first.name, environment, fetch)
    await plan.complete(first.dependencies)
    return plan.in_order()


async def standing(client: Client, ref: str, environment: str) -> Standing:
    """What is live of a project in an environment. Raises ``LongshoreError``."""
    try:
        project = await client.project(ref)
    except ProjectNotFound:
        return Standing()
    for each in project.environments:
        if each.environment == environment:
            return Standing(each.live_version, each.live_deployment_id)
    return Standing()


class _Plan:
    """The packs that were looked at so far; each is fetched again only where another version is needed."""

    def __init__(self, client: Client, first: str, environment: str, fetch: Fetch) -> None:
        from .sources import Deadline

        self._client = client
        self._first = first
        self._environment = environment
        self._fetch = fetch
        self._deadline = Deadline(PLANNED_WITHIN_S)
        self._needed: dict[str, Needed] = {}
        self._needs: dict[str, Sequence[Dependency]] = {}
        self._fetched: dict[str, Fetched] = {}
        self._standing: dict[str, Standing] = {}
        self._times_fetched = Counter[str]()

    async def complete(self, needs: Sequence[Dependency]) -> None:
        """Look at what the first pack needs, and at what that needs, until nothing is missing."""
        self._needs[self._first] = needs
        waiting = deque((self._first, need) for need in needs)
        while waiting:
            needed_by, need = waiting.popleft()
            # A pack that was fetched in another version meanwhile may not need it any more, and the circle
            # that the first pack is in is told by `in_order`.
            if need not in self._needs.get(needed_by, ()) or need.ref == self._first:
                continue
            needed = self._needed.setdefault(need.ref, Needed())
            needed.constraints[needed_by] = need.constraint
            if need.ref in self._fetched:
                if needed.allows(self._fetched[need.ref].version):
                    continue
            elif await self._is_live(need.ref, needed):
                continue
            self._give_up(need.ref)
            fetched, more = await self._fetched_as(need.ref, needed)
            self._fetched[need.ref], self._needs[need.ref] = fetched, more
            waiting.extend((need.ref, each) for each in more)

    def in_order(self) -> Sequence[PlannedPack]:
        """What is to be deployed before the first pack, each behind what it needs."""
        graph = {ref: [each.ref for each in needs] for ref, needs in self._needs.items()}
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise DependenciesClash(
                f"packs need each other in a circle, so none can be first: {circle}"
            ) from None
        return [
            PlannedPack(
                ref,
                self._fetched[ref].version,
                self._fetched[ref],
                self._needed[ref],
                self._standing[ref],
            )
            for ref in order
            if ref in self._fetched
        ]

    def _give_up(self, ref: str) -> None:
        """What the version fetched before needed counts no longer, and goes where nobody else needs it."""
        self._fetched.pop(ref, None)
        for need in self._needs.pop(ref, ()):
            needed = self._needed.get(need.ref)
            if needed is None:
                continue
            needed.constraints.pop(ref, None)
            if not needed.constraints:
                del self._needed[need.ref]
                self._give_up(need.ref)

    async def _is_live(self, ref: str, needed: Needed) -> bool:
        if ref not in self._standing:
            self._standing[ref] = await standing(self._client, ref, self._environment)
        return self._standing[ref].suffices(needed)

    async def _fetched_as(self, ref: str, needed: Needed) -> tuple[Fetched, Sequence[Dependency]]:
        """A pack in a version that all allow, and what it needs."""
        from .sources import IndexSource

        self._times_fetched[ref] += 1
        if self._times_fetched[ref] > MOST_VERSIONS:
            raise DependenciesClash(
                f"no versions were found that go together: {ref} was looked at {MOST_VERSIONS} times, and "
                f"each time what it needs led to another version; last it was needed by {needed.by_whom}"
            )
        if len(self._times_fetched) > MOST_PACKS:
            raise DependencyUnsatisfied(
                f"{self._first} needs more than {MOST_PACKS} packs that are not live, which is the limit: "
                "deploy some of them first"
            )
        source = IndexSource(ref, needed.together)
        try:
            fetched = await in_abandonable_thread(lambda: self._fetch(source, self._deadline))
        except SourceNotFound as error:
            if len(needed.constraints) > 1:
                raise _not_together(ref, needed, error.message) from error
            error.add_note(f"it is needed by {needed.by_whom}")
            raise
        except SourceError as error:
            if self._deadline.passed:
                raise self._deadline.error() from error
            error.add_note(f"{ref} is needed by {needed.by_whom}")
            raise
        if not needed.allows(fetched.version):
            raise _not_together(ref, needed, f"there is {fetched.version}")
        return fetched, await asyncio.to_thread(_needs_of, ref, fetched, needed)


def _not_together(ref: str, needed: Needed, why: str) -> DependenciesClash:
    error = DependenciesClash(f"no version of {ref} is what all that need it need: {needed.by_whom}")
    error.add_note(why)
    return error


def _needs_of(ref: str, fetched: Fetched, needed: Needed) -> Sequence[Dependency]:
    """What a pack that was fetched needs. Raises ``PayloadRefused`` for one that cannot be deployed."""
    scan = scanned(fetched.path, FETCHED_LIMITS)
    if not scan.accepted:
        raise PayloadRefused(
            f"{ref} {fetched.version}, needed by {needed.by_whom}, would be refused",
            findings=findings_of(scan.findings),
            total_findings=scan.total_findings,
        )
    return scan.manifest.dependencies if isinstance(scan.manifest, PackManifest) else ()
