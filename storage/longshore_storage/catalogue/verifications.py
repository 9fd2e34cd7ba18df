"""Verifications: who asked whether nodes have what they should, and what each of them found.

A node writes what it finds only while that is PENDING. Rows older than a day are not there any more, whether
or not somebody has dropped them yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, and_, bindparam, delete, insert, literal, select, update

from . import tables
from .activations import Place
from .catalogue import Transaction
from .lifecycle import ROLLING, ActivationStatus, OpenEnum
from .prepared import Prepared

_v, _nv = tables.verification, tables.node_verification
_a, _act, _d = tables.assignment, tables.activation, tables.deployment
_KEPT: Final = timedelta(days=1)
# A node reports twice a minute.
_AWAY_AFTER: Final = timedelta(minutes=2)


class VerificationStatus(OpenEnum):
    """Where a node stands with a verification."""

    PENDING = "PENDING"
    INTACT = "INTACT"
    DIFFERS = "DIFFERS"
    REPAIRED = "REPAIRED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was asked, by whom and when."""

    id: str
    project: str
    environment: str
    repair: bool
    asked_by: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class NodeVerification:
    """What one node found; ``differences`` are the first of ``total_differences``, each a path and a kind."""

    verification_id: str
    node_id: str
    node_name: str
    status: VerificationStatus
    version: str
    compared_entries: int
    differences: Sequence[Sequence[str]]
    total_differences: int
    message: str
    repair_generation: int
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a node is assigned of a project, None for nothing, and how far it is with that."""

    generation: int
    release_id: int | None
    status: ActivationStatus
    message: str

    @property
    def is_open(self) -> bool:
        """Whether the node is at work on it, or about to be."""
        return self.status in _OPEN


# Not twice what the verification's own row has.
_NODE_COLUMNS: Final = [_nv.c[field.name] for field in fields(NodeVerification)]
_OPEN: Final = (ActivationStatus.PENDING, ActivationStatus.FETCHING, ActivationStatus.SWITCHING)
_PENDING: Final = Prepared(
    select(*_v.c, *_NODE_COLUMNS)
    .join(_v, _v.c.id == _nv.c.verification_id)
    .where(
        _nv.c.node_id == bindparam("of"),
        _nv.c.status == literal(VerificationStatus.PENDING.value),
        _v.c.create_time > bindparam("since"),
    )
    .order_by(_v.c.create_time, _v.c.id)
)
_ASSIGNED: Final = Prepared(
    select(_a.c.generation, _a.c.release_id, _act.c.status, _act.c.message)
    .join(
        _act,
        and_(
            _act.c.node_id == _a.c.node_id,
            _act.c.environment == _a.c.environment,
            _act.c.project == _a.c.project,
            _act.c.generation == _a.c.generation,
        ),
    )
    .where(
        _a.c.node_id == bindparam("of"),
        _a.c.environment == bindparam("within"),
        _a.c.project == bindparam("named"),
    )
)


async def get_verification(transaction: Transaction, verification_id: str) -> Verification | None:
    """Read what was asked, unless that was more than a day ago."""
    since = await transaction.now() - _KEPT
    row = await transaction.one(select(_v).where(_v.c.id == verification_id, _v.c.create_time > since))
    return _verification(row) if row else None


async def ask(
    transaction: Transaction,
    verification_id: str,
    *,
    project: str,
    environment: str,
    repair: bool,
    asked_by: str,
) -> Verification:
    """Write down that somebody asks, and every node that is to look: those that install in the environment.

    Raises ``ConstraintViolated`` where the id was taken meanwhile.
    """
    asked = Verification(verification_id, project, environment, repair, asked_by, await transaction.now())
    await transaction.execute(insert(_v), asdict(asked))
    n = tables.node
    nodes = await transaction.all(
        select(n.c.id, n.c.name).where(n.c.environment == environment, n.c.installs.is_(True))
    )
    rows = [
        {
            "verification_id": verification_id,
            "node_id": node.id,
            "node_name": node.name,
            "status": VerificationStatus.PENDING,
            "differences": [],
        }
        for node in nodes
    ]
    if rows:
        await transaction.execute(insert(_nv), rows)
    return asked


async def unfinished(
    transaction: Transaction, *, project: str, environment: str, repair: bool, within: timedelta
) -> Verification | None:
    """The last one asked for the same within that time that a node which is there has yet to end."""
    now = await transaction.now()
    n = tables.node
    pending = (
        select(_nv.c.verification_id)
        .join(n, n.c.id == _nv.c.node_id)
        .where(_nv.c.status == VerificationStatus.PENDING, n.c.report_time > now - _AWAY_AFTER)
    )
    row = await transaction.one(
        select(_v)
        .where(
            _v.c.project == project,
            _v.c.environment == environment,
            _v.c.repair.is_(repair),
            _v.c.create_time > now - within,
            _v.c.id.in_(pending),
        )
        .order_by(_v.c.create_time.desc())
        .limit(1)
    )
    return _verification(row) if row else None


async def drop_old(transaction: Transaction) -> int:
    """Drop what was asked more than a day ago."""
    before = await transaction.now() - _KEPT
    return await transaction.changed(delete(_v).where(_v.c.create_time <= before))


async def list_nodes(
    transaction: Transaction, verification_id: str, *, limit: int
) -> Sequence[NodeVerification]:
    """What the nodes found, by name, the first of them."""
    rows = await transaction.all(
        select(*_NODE_COLUMNS)
        .where(_nv.c.verification_id == verification_id)
        .order_by(_nv.c.node_name)
        .limit(limit)
    )
    return [_node(row) for row in rows]


async def pending_of(
    transaction: Transaction, node_id: str
) -> Sequence[tuple[Verification, NodeVerification]]:
    """What one node has yet to look at, in the order in which it was asked."""
    since = await transaction.now() - _KEPT
    rows = await transaction.all(_PENDING, {"of": node_id, "since": since})
    return [(_verification(row), _node(row)) for row in rows]


async def tell(transaction: Transaction, found: NodeVerification, **values: Any) -> bool:
    """Set columns of what a node is looking at; False when it is not to look any more."""
    return bool(
        await transaction.changed(
            update(_nv)
            .where(
                _nv.c.verification_id == found.verification_id,
                _nv.c.node_id == found.node_id,
                _nv.c.status == VerificationStatus.PENDING,
            )
            .values(**values)
        )
    )


async def assigned_to(
    transaction: Transaction, node_id: str, environment: str, project: str
) -> Assigned | None:
    """What a node is assigned of a project; None where it never was anything."""
    row = await transaction.one(_ASSIGNED, {"of": node_id, "within": environment, "named": project})
    return (
        Assigned(row.generation, row.release_id, ActivationStatus(row.status), row.message) if row else None
    )


async def is_rolling(transaction: Transaction, project: str, environment: str) -> bool:
    """Whether a rollout of a project is under way in an environment."""
    row = await transaction.one(
        select(_d.c.id).where(
            _d.c.project == project, _d.c.environment == environment, _d.c.status.in_(ROLLING)
        )
    )
    return row is not None


async def begin_again(transaction: Transaction, place: Place) -> bool:
    """Have a node obey once more the assignment that it has obeyed.

    False where it is not that any more, or a rollout is under way: who drives that counts on what nodes said.
    """
    if await is_rolling(transaction, place.project, place.environment):
        return False
    held = await transaction.one(
        select(_a.c.generation)
        .where(
            _a.c.node_id == place.node_id,
            _a.c.environment == place.environment,
            _a.c.project == place.project,
        )
        .with_for_update(key_share=True)
    )
    if held is None or held.generation != place.generation:
        return False
    return bool(
        await transaction.changed(
            update(_act)
            .where(
                _act.c.node_id == place.node_id,
                _act.c.environment == place.environment,
                _act.c.project == place.project,
                _act.c.generation == place.generation,
                _act.c.status.in_((ActivationStatus.LIVE, ActivationStatus.REMOVED)),
            )
            .values(
                status=ActivationStatus.PENDING,
                tries=0,
                end_time=None,
                report_time=await transaction.now(),
            )
        )
    )


def _verification(row: Row[Any]) -> Verification:
    values = row._mapping
    return Verification(**{field.name: values[field.name] for field in fields(Verification)})


def _node(row: Row[Any]) -> NodeVerification:
    values = {field.name: row._mapping[field.name] for field in fields(NodeVerification)}
    return NodeVerification(**{**values, "status": VerificationStatus(values["status"])})
