"""How everything stands, for who watches over a cluster: counted, never listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from . import audit_seals, nodes, tables
from .catalogue import Transaction
from .lifecycle import TERMINAL, DeploymentKind, DeploymentStatus
from .rows import Node

_d = tables.deployment


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Deployments in one status: how many, and for how long the oldest of them has been there."""

    count: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Deployments that have not ended by status, all nodes, damaged payloads, last ends of chores by name.

    And how many entries of the audit trail no seal proves yet.
    """

    unfinished: Mapping[str, Unfinished]
    nodes: Sequence[Node]
    damaged_payloads: int
    chores: Mapping[str, datetime]
    unsealed_entries: int


async def read_overview(transaction: Transaction) -> Overview:
    """Count."""
    now = await transaction.now()
    unfinished = await transaction.all(
        select(_d.c.status, func.count().label("deployments"), func.min(_d.c.create_time).label("oldest"))
        .where(_d.c.status.in_(set(DeploymentStatus) - TERMINAL), _d.c.kind != DeploymentKind.VALIDATION)
        .group_by(_d.c.status)
    )
    damaged = await transaction.one(
        select(func.count().label("payloads"))
        .select_from(tables.payload)
        .where(tables.payload.c.damage != "")
    )
    c = tables.chore
    chores = await transaction.all(select(c.c.name, c.c.end_time).where(c.c.end_time.is_not(None)))
    return Overview(
        unfinished={
            row.status: Unfinished(row.deployments, (now - row.oldest).total_seconds()) for row in unfinished
        },
        nodes=await nodes.all_nodes(transaction),
        damaged_payloads=damaged.payloads if damaged is not None else 0,
        chores={row.name: row.end_time for row in chores},
        unsealed_entries=await audit_seals.count_unsealed(transaction),
    )
