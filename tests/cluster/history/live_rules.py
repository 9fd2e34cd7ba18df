"""One live release per project and environment, in generation order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from .records import LIVE_ENDS, DeploymentEnd, PlaceSeen, Record, only
from .violation import Violation, broken

_Place = tuple[str, str]


def one_rollout_at_a_time(history: Sequence[Record]) -> Iterator[Violation]:
    """At most one deployment of a project rolls out in an environment."""
    for seen in only(history, PlaceSeen):
        if len(seen.rolling) > 1:
            yield broken(
                f"{len(seen.rolling)} rollouts of {seen.project} in {seen.environment} at once", seen
            )


def live_in_generation_order(history: Sequence[Record]) -> Iterator[Violation]:
    """What is live changes only to a higher generation, and a generation is one release."""
    for (project, environment), seen in _by_place(history).items():
        for before, after in pairwise(seen):
            where = f"{project} in {environment}"
            if after.generation < before.generation:
                yield broken(f"the live generation of {where} fell", before, after)
            elif after.generation == before.generation and _release(after) != _release(before):
                yield broken(f"two releases of {where} were live as one generation", before, after)


def live_is_the_newest_success(history: Sequence[Record]) -> Iterator[Violation]:
    """What was live had succeeded, no two successes have one generation, and the newest is live at last."""
    ends = only(history, DeploymentEnd)
    by_id = {end.deployment_id: end for end in ends}
    succeeded: dict[_Place, dict[int, DeploymentEnd]] = defaultdict(dict)
    for end in ends:
        if end.status not in LIVE_ENDS:
            continue
        known = succeeded[end.project, end.environment].setdefault(end.generation, end)
        if known is not end:
            yield broken(f"two deployments went live as generation {end.generation}", known, end)
    for place, seen in _by_place(history).items():
        for one in {each.deployment_id: each for each in seen if each.deployment_id}.values():
            made_by = by_id.get(one.deployment_id)
            if made_by is None:
                yield broken("what was live was made by a deployment that is not there", one)
            elif made_by.status not in LIVE_ENDS:
                yield broken("what was live was made by a deployment that did not succeed", one, made_by)
        newest = max(succeeded[place].values(), key=lambda end: end.generation, default=None)
        if newest is not None and newest.deployment_id != seen[-1].deployment_id:
            yield broken("what is live at last is not the newest success", seen[-1], newest)


def _by_place(history: Sequence[Record]) -> dict[_Place, list[PlaceSeen]]:
    places: dict[_Place, list[PlaceSeen]] = defaultdict(list)
    for seen in only(history, PlaceSeen):
        places[seen.project, seen.environment].append(seen)
    return places


def _release(seen: PlaceSeen) -> tuple[str, str]:
    return seen.deployment_id, seen.version
