"""What releases say of themselves, and which projects they need beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, insert, select, union, union_all

from . import tables
from .catalogue import Transaction
from .lifecycle import UNFINISHED, DeploymentKind, DeploymentStatus
from .prepared import Prepared

_b, _n = tables.bundle, tables.dependency
_d, _e, _r = tables.deployment, tables.project_environment, tables.release
# What goes back, goes back to what is live.
_COMING = tuple(UNFINISHED - {DeploymentStatus.REVERTING})

_NEEDS = Prepared(
    select(_n.c.project, _n.c.constraint)
    .where(_n.c.release_id == bindparam("release"))
    .order_by(_n.c.project)
)

_IS_NEEDED = Prepared(select(_n.c.release_id).where(_n.c.project == bindparam("of")).limit(1))


class Need(NamedTuple):
    """A project that must be live beside a release, in a version that ``constraint`` allows; empty: any."""

    project: str
    constraint: str


class Standing(NamedTuple):
    """The version that is live, None without one, and those on their way; empty where it is taken off."""

    live: str | None
    coming: Sequence[str]


class Dependant(NamedTuple):
    """A release that is live, or on its way, and needs a project in a version that ``constraint`` allows."""

    project: str
    version: str
    constraint: str


async def record_bundle(
    transaction: Transaction, release_id: int, manifest: Mapping[str, Any], needs: Sequence[Need]
) -> None:
    """Write down what a new release's manifest says, and what it needs."""
    await transaction.execute(insert(_b), {"release_id": release_id, "manifest": manifest})
    if needs:
        rows = [{"release_id": release_id, **need._asdict()} for need in needs]
        await transaction.execute(insert(_n), rows)


async def get_manifest(transaction: Transaction, release_id: int) -> Mapping[str, Any]:
    """What a release's manifest says; empty where it has none."""
    row = await transaction.one(select(_b.c.manifest).where(_b.c.release_id == release_id))
    return row.manifest if row else {}


async def needs_of(transaction: Transaction, release_id: int) -> Sequence[Need]:
    """What a release needs, by project."""
    rows = await transaction.all(_NEEDS, {"release": release_id})
    return [Need(row.project, row.constraint) for row in rows]


async def standing_versions(
    transaction: Transaction, environment: str, projects: Collection[str]
) -> Mapping[str, Standing]:
    """How projects stand in an environment, those of them that are live there or on their way."""
    # In this order: what ends between the two looks is seen as what it came to.
    coming = await transaction.all(
        select(_d.c.project, _d.c.version)
        .where(_d.c.environment == environment, _d.c.project.in_(projects), _d.c.status.in_(_COMING))
        .order_by(_d.c.queue_order)
    )
    live = await transaction.all(
        select(_e.c.project, _r.c.version)
        .join(_r, _r.c.id == _e.c.live_release_id)
        .where(_e.c.environment == environment, _e.c.project.in_(projects))
    )
    live_versions = {row.project: row.version for row in live}
    coming_versions: dict[str, list[str]] = {row.project: [] for row in [*live, *coming]}
    for row in coming:
        coming_versions[row.project].append(row.version)
    return {
        project: Standing(live_versions.get(project), versions)
        for project, versions in coming_versions.items()
    }


async def is_needed(transaction: Transaction, project: str) -> bool:
    """Whether any release of any project needs this one, wherever it is."""
    return await transaction.one(_IS_NEEDED, {"of": project}) is not None


async def dependants(transaction: Transaction, environment: str, project: str) -> Sequence[Dependant]:
    """The releases that need a project: those that are live in an environment or on their way, by project."""
    live = (
        select(_e.c.project, _r.c.version, _n.c.constraint)
        .join(_r, _r.c.id == _e.c.live_release_id)
        .join(_n, _n.c.release_id == _r.c.id)
        .where(_n.c.project == project, _e.c.environment == environment)
    )
    coming = (
        select(_d.c.project, _d.c.version, _n.c.constraint)
        .join(_n, _n.c.release_id == _d.c.release_id)
        .where(
            _n.c.project == project,
            _d.c.environment == environment,
            _d.c.status.in_(_COMING),
            _d.c.kind != DeploymentKind.UNDEPLOY,
        )
    )
    found = union_all(live, coming).subquery()
    rows: Sequence[Row[Any]] = await transaction.all(
        select(found).distinct().order_by(found.c.project, found.c.version)
    )
    return [Dependant(row.project, row.version, row.constraint) for row in rows]


async def standing_needs(
    transaction: Transaction, environment: str, projects: Collection[str]
) -> Sequence[tuple[str, str]]:
    """Which project needs which, of what is live of ``projects`` in an environment and what is on its way."""
    live = (
        select(_e.c.project, _n.c.project.label("needed"))
        .join(_n, _n.c.release_id == _e.c.live_release_id)
        .where(_e.c.environment == environment, _e.c.project.in_(projects))
    )
    coming = (
        select(_d.c.project, _n.c.project.label("needed"))
        .join(_n, _n.c.release_id == _d.c.release_id)
        .where(_d.c.environment == environment, _d.c.project.in_(projects), _d.c.status.in_(_COMING))
    )
    found = union(live, coming).subquery()
    rows = await transaction.all(select(found).order_by(found.c.project, found.c.needed))
    return [(row.project, row.needed) for row in rows]
