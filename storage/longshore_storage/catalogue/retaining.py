"""Which releases keep their payload: what uses them, what a policy keeps, and dropping the reference.

A release's reference to its payload is dropped under the project's row lock, which everything holds that
makes a release go live somewhere. What is in use is asked in one statement, so that a deployment that ends
meanwhile is seen either in flight or live.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, union_all, update

from . import tables
from .catalogue import Transaction
from .lifecycle import TERMINAL, DeploymentStatus
from .rows import Release
from .scopes import EVERYTHING, Scope, within

_a = tables.assignment
_d = tables.deployment
_e = tables.project_environment
_f = tables.pack_file
_r = tables.release

_UNFINISHED = tuple(sorted(set(DeploymentStatus) - TERMINAL))
# Outcomes in which a release went live.
_WENT_LIVE = ("SUCCEEDED", "PARTIAL")


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Which releases of a project keep their payload for the sake of one environment; None is no limit.

    ``keep_releases`` counts the releases deployed there last, ``max_bytes`` adds up their payloads' sizes,
    and ``max_age`` is the time since the last deployment there. A release that exceeds one of them is not
    kept by this environment.
    """

    keep_releases: int | None = None
    max_age: timedelta | None = None
    max_bytes: int | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether there is no limit at all."""
        return self.keep_releases is None and self.max_age is None and self.max_bytes is None


class ReleaseUse(NamedTuple):
    """Where a release is needed: ``LIVE``, ``ASSIGNED``, ``IN_FLIGHT`` or ``ROLLBACK_TARGET`` there.

    One that is ``PINNED`` is so everywhere.
    """

    kind: str
    environment: str


class PayloadShare(NamedTuple):
    """Bytes of pack files that only this payload needs, and that something else needs as well."""

    own_size_bytes: int
    shared_size_bytes: int


class Reclaimable(NamedTuple):
    """A release whose payload no policy keeps."""

    id: int
    version: str
    payload_size_bytes: int


async def uses_of(transaction: Transaction, release: Release, *, rollback_targets: int) -> list[ReleaseUse]:
    """Everything that needs a release's payload.

    Of each environment so many rollback targets count, unless something else was set for it.
    """
    uses = _uses(release.project, rollback_targets).subquery()
    rows = await transaction.all(
        select(uses.c.kind, uses.c.environment)
        .where(uses.c.release_id == release.id)
        .distinct()
        .order_by(uses.c.kind, uses.c.environment)
    )
    return [ReleaseUse(row.kind, row.environment) for row in rows]


async def share_of(
    transaction: Transaction, release: Release, *, scopes: Collection[Scope] = EVERYTHING
) -> PayloadShare:
    """What would go with a release's reference to its payload, and what of the payload would stay.

    What projects outside ``scopes`` need is left out: that they have the same bytes is not told.
    """
    sha256 = release.stored_payload
    pp, others = tables.payload_pack, tables.payload_pack.alias()
    u, of_upload = tables.upload, _d.c.id == tables.upload.c.deployment_id
    named_elsewhere = or_(
        select(_r.c.id)
        .where(_r.c.stored_payload == sha256, _r.c.id != release.id, within(scopes, _r.c.project))
        .exists(),
        select(u.c.deployment_id)
        .join(_d, of_upload)
        .where(u.c.stored_payload == sha256, within(scopes, _d.c.project, _d.c.environment))
        .exists(),
    )
    needed_elsewhere = or_(
        named_elsewhere,
        select(others.c.pack_key)
        .join(_r, _r.c.stored_payload == others.c.payload_sha256)
        .where(others.c.pack_key == _f.c.key, others.c.payload_sha256 != sha256, within(scopes, _r.c.project))
        .exists(),
        select(tables.pin.c.pack_key)
        .join(_d, _d.c.id == tables.pin.c.deployment_id)
        .where(tables.pin.c.pack_key == _f.c.key, within(scopes, _d.c.project, _d.c.environment))
        .exists(),
    )
    size = func.sum(_f.c.size_bytes)
    row = await transaction.one(
        select(size.filter(~needed_elsewhere).label("own"), size.filter(needed_elsewhere).label("shared"))
        .select_from(_f)
        .join(pp, pp.c.pack_key == _f.c.key)
        .where(pp.c.payload_sha256 == sha256)
    )
    assert row is not None
    return PayloadShare(int(row.own or 0), int(row.shared or 0))


async def policies_of(
    transaction: Transaction, names: Collection[str], default: Callable[[str, str], RetentionPolicy]
) -> dict[str, dict[str, RetentionPolicy]]:
    """By project and environment, wherever anything was ever queued: what was set, else the default."""
    rows = await transaction.all(
        select(_e.c.project, _e.c.environment, _e.c.keep_releases, _e.c.keep_for_s, _e.c.keep_bytes)
        .where(_e.c.project.in_(names))
        .order_by(_e.c.environment)
    )
    found: dict[str, dict[str, RetentionPolicy]] = {}
    for row in rows:
        policy = default(row.project, row.environment)
        if row.keep_releases is not None:
            policy = replace(policy, keep_releases=row.keep_releases or None)
        if row.keep_for_s is not None:
            policy = replace(policy, max_age=timedelta(seconds=row.keep_for_s) if row.keep_for_s else None)
        if row.keep_bytes is not None:
            policy = replace(policy, max_bytes=row.keep_bytes or None)
        found.setdefault(row.project, {})[row.environment] = policy
    return found


async def reclaimable(
    transaction: Transaction,
    project: str,
    policies: Mapping[str, RetentionPolicy],
    *,
    rollback_targets: int,
    limit: int,
) -> Sequence[Reclaimable]:
    """The first releases by id whose payload nothing needs and no environment's policy keeps."""
    rows = await transaction.all(
        select(_r.c.id, _r.c.version, _r.c.payload_size_bytes)
        .where(is_reclaimable(project, policies, rollback_targets, await transaction.now()))
        .order_by(_r.c.id)
        .limit(limit)
    )
    return [Reclaimable(row.id, row.version, row.payload_size_bytes) for row in rows]


async def drop_references(transaction: Transaction, release_ids: Collection[int]) -> None:
    """Let releases name their payload no more; the caller holds their projects' locks."""
    await transaction.execute(update(_r).where(_r.c.id.in_(release_ids)).values(stored_payload=None))


def is_reclaimable(
    project: str, policies: Mapping[str, RetentionPolicy], rollback_targets: int, now: datetime
) -> ColumnElement[bool]:
    """The condition on a release's row; ``policies`` are by environment."""
    uses = _uses(project, rollback_targets).subquery()
    return and_(
        _r.c.project == project,
        _r.c.stored_payload.is_not(None),
        ~_r.c.id.in_(select(uses.c.release_id)),
        *(~_r.c.id.in_(_kept(project, name, policy, now)) for name, policy in sorted(policies.items())),
    )


def _kept(project: str, environment: str, policy: RetentionPolicy, now: datetime) -> Select[Any]:
    newest = func.max(_d.c.number)
    last_time = func.max(_d.c.record_time)
    ranked = (
        select(
            _d.c.release_id,
            last_time.label("last_time"),
            func.row_number().over(order_by=newest.desc()).label("place"),
            func.sum(_r.c.payload_size_bytes).over(order_by=newest.desc()).label("bytes"),
        )
        .join(_r, _r.c.id == _d.c.release_id)
        .where(_d.c.project == project, _d.c.environment == environment, _r.c.stored_payload.is_not(None))
        .group_by(_d.c.release_id, _r.c.payload_size_bytes)
        .subquery()
    )
    kept = select(ranked.c.release_id)
    if policy.keep_releases is not None:
        kept = kept.where(ranked.c.place <= policy.keep_releases)
    if policy.max_bytes is not None:
        kept = kept.where(ranked.c.bytes <= policy.max_bytes)
    if policy.max_age is not None:
        kept = kept.where(ranked.c.last_time > now - policy.max_age)
    return kept


def _uses(project: str, rollback_targets: int) -> Any:
    """Rows (kind, environment, release_id) of everything that needs a payload of the project."""
    ranked = (
        select(
            _d.c.environment,
            _d.c.release_id,
            func.row_number()
            .over(partition_by=_d.c.environment, order_by=func.max(_d.c.number).desc())
            .label("place"),
        )
        .where(
            _d.c.project == project,
            _d.c.status.in_(_WENT_LIVE),
            _d.c.rolled_back_by == "",
            _d.c.release_id.is_not(None),
        )
        .group_by(_d.c.environment, _d.c.release_id)
        .subquery()
    )
    return union_all(
        select(
            literal("LIVE").label("kind"), _e.c.environment, _e.c.live_release_id.label("release_id")
        ).where(_e.c.project == project, _e.c.live_release_id.is_not(None)),
        select(literal("ASSIGNED"), _a.c.environment, _a.c.release_id).where(
            _a.c.project == project, _a.c.release_id.is_not(None)
        ),
        select(literal("IN_FLIGHT"), _d.c.environment, _d.c.release_id).where(
            _d.c.project == project, _d.c.status.in_(_UNFINISHED), _d.c.release_id.is_not(None)
        ),
        select(literal("ROLLBACK_TARGET"), ranked.c.environment, ranked.c.release_id)
        .join(_e, and_(_e.c.project == project, _e.c.environment == ranked.c.environment))
        .where(ranked.c.place <= func.coalesce(_e.c.rollback_targets, rollback_targets)),
        select(literal("PINNED"), literal(""), _r.c.id).where(_r.c.project == project, _r.c.pin_reason != ""),
    )
