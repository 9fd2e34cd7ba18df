"""Stored bytes are served whole or not at all; damage is what was done, and heals; what is needed is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from .promise_rules import DEPLOY
from .records import (
    Acknowledged,
    Asked,
    Decided,
    ObjectHurt,
    PayloadRead,
    Reclaimed,
    Record,
    Refused,
    ReleaseEnd,
    Restored,
    TurnEnd,
    only,
)
from .violation import Violation, broken

_CORRUPT: Final = "STORED_DATA_CORRUPT"
_RECLAIMED: Final = "PAYLOAD_RECLAIMED"
# What nodes say of a payload that they cannot fetch.
_CORRUPT_WORDS: Final = "is corrupt"
_LACKING_WORDS: Final = "no payload with sha256"
# What a client says that counts the bytes, where a server has sent others than were released.
_OTHER_BYTES: Final = "DownloadDamaged"
# Calls that make a release live without bringing its bytes.
_WITHOUT_BYTES: Final = frozenset({"deploy release", "rollback", "retry"})

_Release = tuple[str, str]
_Turned = Reclaimed | Restored


def payloads_are_served_whole(history: Sequence[Record]) -> Iterator[Violation]:
    """All that a reader is sent to the end is the payload, whatever became of what is stored."""
    releases = {(release.project, release.version): release for release in only(history, ReleaseEnd)}
    for read in only(history, PayloadRead):
        release = releases.get((read.project, read.version))
        if read.error.startswith(_OTHER_BYTES):
            yield broken(f"{read.node} sent other bytes than were released", read)
        elif read.sha256 and release is not None and read.sha256 != release.sha256:
            yield broken(f"{read.node} sent other bytes than were released", read, release)


def damage_was_done(history: Sequence[Record]) -> Iterator[Violation]:
    """Whoever tells of damage names an object that was hurt before: nothing is damaged by itself."""
    hurt: set[str] = set()
    for record in history:
        match record:
            case ObjectHurt():
                hurt.add(record.key)
            case PayloadRead(error=told, reason=reason) | Refused(error=told, reason=reason):
                if reason == _CORRUPT and not _names_any(told, hurt):
                    yield broken("somebody was told of damage that nobody did", record)
            case ReleaseEnd(damage=told):
                if told and not _names_any(told, hurt):
                    yield broken(f"{record.project} {record.version} is damaged, which nobody did", record)
            case TurnEnd(message=told):
                if _CORRUPT_WORDS in told and not _names_any(told, hurt):
                    yield broken(f"{record.node} met damage that nobody did", record)


def damage_is_refused(history: Sequence[Record]) -> Iterator[Violation]:
    """What is known to be damaged is refused by that reason, and not served."""
    for release in only(history, ReleaseEnd):
        if release.stored and release.damage and (release.readable or release.reason != _CORRUPT):
            yield broken(f"{release.project} {release.version} is damaged and was not refused so", release)


def damage_heals(history: Sequence[Record]) -> Iterator[Violation]:
    """What a node has installed, or a client has sent since the damage was found, is sound at last."""
    scrubs = [one.at for one in only(history, Decided) if one.call == "scrub"]
    asked = {one.deployment_id: one for one in only(history, Asked) if one.call == DEPLOY}
    sent: dict[_Release, Acknowledged] = {}
    for answer in only(history, Acknowledged):
        request = asked.get(answer.deployment_id)
        if answer.call == DEPLOY and request is not None and scrubs and request.at >= scrubs[-1]:
            sent[request.project, answer.version] = answer
    for release in only(history, ReleaseEnd):
        again = sent.get((release.project, release.version))
        if not release.stored or not release.damage:
            continue
        name = f"{release.project} {release.version}"
        if release.installed_on:
            yield broken(f"{name} is damaged, though {release.installed_on[0]} has it", release)
        if again is not None:
            yield broken(f"{name} is damaged, though it was sent again", again, release)


def what_is_needed_is_kept(history: Sequence[Record]) -> Iterator[Violation]:
    """A release keeps its payload while it is live, assigned, on its way, pinned, or may be gone back to."""
    for gone in only(history, Reclaimed):
        if gone.needed:
            yield broken(f"{gone.project} {gone.version} was reclaimed, though it was {gone.needed}", gone)


def reclaimed_is_refused(history: Sequence[Record]) -> Iterator[Violation]:
    """Whoever wants to have live what was reclaimed is refused at once."""
    turned = _turned(history)
    asked = _asked_without_bytes(history)
    for answer in only(history, Acknowledged):
        request = asked.get(answer.deployment_id)
        if request is None or not request.version or answer.call != request.call:
            continue
        release = (request.project, request.version)
        if gone := _gone_throughout(turned[release], request.at, answer.at):
            yield broken(f"{' '.join(release)} was let through without its payload", gone, answer)
    for end in only(history, ReleaseEnd):
        if not end.stored and (end.readable or end.reason != _RECLAIMED):
            yield broken(f"{end.project} {end.version} has no payload and was not refused so", end)


def what_is_kept_is_not_refused(history: Sequence[Record]) -> Iterator[Violation]:
    """Nobody is told of a payload that it was reclaimed unless it was."""
    turned = _turned(history)
    asked = _asked_without_bytes(history)
    for refused in only(history, Refused):
        request = asked.get(refused.deployment_id)
        if refused.reason != _RECLAIMED or request is None:
            continue
        # What is gone back to without a version only the server knows.
        releases = [one for one in turned if one[0] == request.project and request.version in ("", one[1])]
        if not any(_gone_sometime(turned[one], request.at, refused.at) for one in releases):
            yield broken("a call was refused for a payload that was not reclaimed", request, refused)
    for read in only(history, PayloadRead):
        if read.reason == _RECLAIMED and not any(
            isinstance(one, Reclaimed) and one.at <= read.at for one in turned[read.project, read.version]
        ):
            yield broken("a reader was refused a payload that was not reclaimed", read)
    for end in only(history, ReleaseEnd):
        if not end.stored and not isinstance(_last(turned[end.project, end.version]), Reclaimed):
            yield broken(f"{end.project} {end.version} has no payload, and nobody let go of it", end)


def no_turn_lacks_its_payload(history: Sequence[Record]) -> Iterator[Violation]:
    """No node comes to its turn in vain because what it is to fetch was let go of."""
    for turn in only(history, TurnEnd):
        if _LACKING_WORDS in turn.message:
            yield broken(f"{turn.node} was to have what is not stored", turn)


def _names_any(told: str, keys: set[str]) -> bool:
    return any(key in told for key in keys)


def _turned(history: Sequence[Record]) -> dict[_Release, list[_Turned]]:
    """When each release let go of its payload and had it again, in order."""
    turned: dict[_Release, list[_Turned]] = defaultdict(list)
    found: list[_Turned] = [*only(history, Reclaimed), *only(history, Restored)]
    for one in sorted(found, key=lambda one: one.at):
        turned[one.project, one.version].append(one)
    return turned


def _asked_without_bytes(history: Sequence[Record]) -> dict[str, Asked]:
    return {one.deployment_id: one for one in only(history, Asked) if one.call in _WITHOUT_BYTES}


def _last(turned: Sequence[_Turned]) -> _Turned | None:
    return turned[-1] if turned else None


def _gone_throughout(turned: Sequence[_Turned], from_s: float, until_s: float) -> Reclaimed | None:
    """What reclaimed it before a time, where nothing brought it back until another."""
    last = _last([one for one in turned if one.at <= until_s])
    return last if isinstance(last, Reclaimed) and last.at < from_s else None


def _gone_sometime(turned: Sequence[_Turned], from_s: float, until_s: float) -> bool:
    """Whether it had no payload at some moment between two times."""
    before = _last([one for one in turned if one.at < from_s])
    between = [one for one in turned if from_s <= one.at <= until_s]
    return any(isinstance(one, Reclaimed) for one in (before, *between))
