"""What was acknowledged stays true: versions, releases, cancellations, ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .records import (
    LIVE_ENDS,
    TERMINAL,
    Acknowledged,
    Asked,
    DeploymentEnd,
    EventSeen,
    Record,
    ReleaseEnd,
    only,
)
from .violation import Violation, broken

DEPLOY = "deploy"
CANCEL = "cancel"


def versions_are_unique(history: Sequence[Record]) -> Iterator[Violation]:
    """A version of a project is one release, whatever its case."""
    known: dict[tuple[str, str], ReleaseEnd] = {}
    for release in only(history, ReleaseEnd):
        other = known.setdefault((release.project, release.version.casefold()), release)
        if other is not release:
            yield broken(f"{release.project} {release.version} is two releases", other, release)


def versions_are_acknowledged_once(history: Sequence[Record]) -> Iterator[Violation]:
    """A deployment was told one version, however often it was asked, and no other content was told it too."""
    asked = {one.deployment_id: one for one in only(history, Asked) if one.call == DEPLOY}
    told: dict[str, Acknowledged] = {}
    contents: dict[tuple[str, str], Asked] = {}
    for answer in only(history, Acknowledged):
        if answer.call != DEPLOY:
            continue
        first = told.setdefault(answer.deployment_id, answer)
        if first.version != answer.version:
            yield broken("one deployment was acknowledged as two versions", first, answer)
        request = asked.get(answer.deployment_id)
        if request is None:
            yield broken("a deployment was acknowledged that nobody asked for", answer)
            continue
        other = contents.setdefault((request.project, answer.version), request)
        if other.content != request.content:
            yield broken(f"two contents were acknowledged as {answer.version}", other, request, answer)


def nothing_acknowledged_is_lost(history: Sequence[Record]) -> Iterator[Violation]:
    """What was acknowledged is there when all is quiet, as it was told, and its bytes can be read.

    But what retention let go of, and what was hurt and cannot be healed.
    """
    ends = {end.deployment_id: end for end in only(history, DeploymentEnd)}
    releases = {(release.project, release.version): release for release in only(history, ReleaseEnd)}
    for answer in only(history, Acknowledged):
        end = ends.get(answer.deployment_id)
        if end is None:
            yield broken("an acknowledged deployment is not there any more", answer)
        elif end.version != answer.version:
            yield broken("an acknowledged deployment has another version", answer, end)
        elif answer.call == DEPLOY:
            release = releases.get((end.project, end.version))
            if release is None:
                yield broken("an acknowledged release is not there any more", answer)
            elif not release.readable and release.stored and not release.damage:
                yield broken("the payload of an acknowledged release cannot be read", answer, release)


def cancelled_is_not_live(history: Sequence[Record]) -> Iterator[Violation]:
    """A deployment whose cancellation was acknowledged does not go live."""
    ends = {end.deployment_id: end for end in only(history, DeploymentEnd)}
    for answer in only(history, Acknowledged):
        end = ends.get(answer.deployment_id)
        if answer.call == CANCEL and end is not None and end.status in LIVE_ENDS:
            yield broken("a deployment succeeded though its cancellation was acknowledged", answer, end)


def every_deployment_ends(history: Sequence[Record]) -> Iterator[Violation]:
    """When all is quiet nothing is unfinished."""
    for end in only(history, DeploymentEnd):
        if end.status not in TERMINAL:
            yield broken(f"deployment {end.deployment_id} never ended", end)


def ended_stays_ended(history: Sequence[Record]) -> Iterator[Violation]:
    """An end that somebody was told is the end."""
    ends = {end.deployment_id: end for end in only(history, DeploymentEnd)}
    told: list[tuple[Acknowledged | EventSeen, str]] = [
        *((answer, answer.status) for answer in only(history, Acknowledged)),
        *((event, event.to_status) for event in only(history, EventSeen)),
    ]
    for record, status in told:
        end = ends.get(record.deployment_id)
        if status in TERMINAL and end is not None and end.status != status:
            yield broken(f"it had ended {status}, and is {end.status}", record, end)
