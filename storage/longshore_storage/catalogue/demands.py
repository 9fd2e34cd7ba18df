"""What a release asks of a node before it goes live there, and which of that its deployment lets pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import String, and_, bindparam, exists, func, or_, select

from . import tables
from .catalogue import Transaction
from .hook_outputs import HookKind
from .lifecycle import WENT_LIVE, DeploymentKind
from .prepared import Prepared
from .rows import Assignment

_b, _d, _e = tables.bundle, tables.deployment, tables.project_environment
_h, _r = tables.hook_output, tables.release
_past = _d.alias("past")
_deployment = bindparam("deployment", type_=String)

# What a node sees to by itself goes by the deployment that made live what it takes.
_DEMANDS: Final = Prepared(
    select(
        _r.c.kind,
        _b.c.manifest,
        _d.c.kind.label("call"),
        and_(
            _d.c.kind == DeploymentKind.ROLLBACK,
            exists().where(
                _past.c.release_id == _d.c.release_id,
                _past.c.environment == _d.c.environment,
                or_(*(_past.c.status == status for status in sorted(WENT_LIVE))),
                _past.c.id != _d.c.id,
            ),
        ).label("goes_back"),
        _d.c.release_id.label("deployed_release_id"),
        _d.c.skip_dependencies,
        _d.c.skip_tests,
    )
    .select_from(_r)
    .outerjoin(_b, _b.c.release_id == _r.c.id)
    .outerjoin(
        _e,
        and_(
            _e.c.project == bindparam("of"),
            _e.c.environment == bindparam("within"),
            _deployment == "",
        ),
    )
    .outerjoin(_d, _d.c.id == func.coalesce(_e.c.live_deployment_id, _deployment))
    .where(_r.c.id == bindparam("release"))
)
_PASSED: Final = Prepared(
    select(_h.c.number)
    .where(
        _h.c.node_id == bindparam("node"),
        _h.c.environment == bindparam("within"),
        _h.c.project == bindparam("of"),
        _h.c.deployment_id == _deployment,
        or_(_deployment != "", _h.c.generation == bindparam("as_generation")),
        _h.c.hook == bindparam("named"),
        _h.c.kind == bindparam("when"),
        _h.c.exit_code == 0,
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Demands:
    """What one assignment's release asks of its node.

    ``kind`` is SKILL, PACK or COMPONENT, ``manifest`` what the release says of itself, empty where it has
    none. ``is_rollback`` says that somebody asked to go back to what was live in its environment,
    ``is_way_back`` that a rollout is being undone.
    """

    kind: str
    manifest: Mapping[str, Any]
    is_rollback: bool
    is_way_back: bool
    skip_dependencies: bool
    skip_tests: bool


async def demands_of(transaction: Transaction, assignment: Assignment) -> Demands:
    """Read what the release of an assignment asks of its node; nothing may be assigned as well."""
    row = assignment.release_id and await transaction.one(
        _DEMANDS,
        {
            "of": assignment.project,
            "within": assignment.environment,
            "deployment": assignment.deployment_id,
            "release": assignment.release_id,
        },
    )
    if not row:
        return Demands(
            "", {}, is_rollback=False, is_way_back=False, skip_dependencies=False, skip_tests=False
        )
    return Demands(
        kind=row.kind,
        manifest=row.manifest or {},
        is_rollback=bool(row.goes_back),
        is_way_back=row.call is not None and row.deployed_release_id != assignment.release_id,
        skip_dependencies=bool(row.skip_dependencies),
        skip_tests=bool(row.skip_tests),
    )


async def has_passed(transaction: Transaction, assignment: Assignment, hook: str) -> bool:
    """Whether a command called ``hook`` ended well before the switch, under an assignment's deployment."""
    row = await transaction.one(
        _PASSED,
        {
            "node": assignment.node_id,
            "of": assignment.project,
            "within": assignment.environment,
            "deployment": assignment.deployment_id,
            "as_generation": assignment.generation,
            "named": hook,
            "when": HookKind.BEFORE_SWITCH.value,
        },
    )
    return row is not None
