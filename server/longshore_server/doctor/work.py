"""What stands still, is away or damaged: read from the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from sqlalchemy import func, select

from longshore_server.settings import Settings
from longshore_storage.catalogue import Catalogue, Transaction, chores, tables
from longshore_storage.catalogue.lifecycle import ROLLING, WAITING, DeploymentStatus
from longshore_storage.collecting.collector import CHORE as COLLECTING

from .finding import Finding, State
from .nodes import Running, look_at_nodes, named

_MOST_NAMED = 5
# A queue that stands is looked at by somebody; one that stands so long was forgotten.
_FORGOTTEN_AFTER = timedelta(hours=24)


async def look_at_work(catalogue: Catalogue, settings: Settings, running: Running) -> AsyncIterator[Finding]:
    """Nodes that are away, deployments that stand, damage, and collecting that does not happen."""
    async with catalogue.reading() as transaction:
        yield await look_at_nodes(transaction, running)
        yield await _rollouts(transaction, settings)
        yield await _queue(transaction)
        yield await _damage(transaction)
        yield await _collecting(transaction, settings)


async def _rollouts(transaction: Transaction, settings: Settings) -> Finding:
    """Rollouts that wait for nobody, and of which no node has reported anything for long."""
    d, a = tables.deployment, tables.activation
    before = await transaction.now() - timedelta(seconds=2 * settings.rollout.progress_deadline_s)
    last = func.max(a.c.report_time)
    rows = await transaction.all(
        select(d.c.id, last)
        .join(a, a.c.deployment_id == d.c.id)
        .where(d.c.status.in_(ROLLING - WAITING), d.c.waiting_gate_id == "")
        .group_by(d.c.id)
        .having(last < before)
    )
    if rows:
        return Finding(
            "rollouts",
            State.BAD,
            f"{len(rows)} stand still: {named([row.id for row in rows])}",
            "see whether a node with the role control runs and reaches etcd; its log tells more",
        )
    return Finding("rollouts", State.OK, "none stands still")


async def _queue(transaction: Transaction) -> Finding:
    d = tables.deployment
    before = await transaction.now() - _FORGOTTEN_AFTER
    rows = await transaction.all(
        select(d.c.id, d.c.status_reason)
        .where(d.c.status.in_((DeploymentStatus.QUEUED, DeploymentStatus.STAGED)), d.c.record_time < before)
        .order_by(d.c.number)
        .limit(_MOST_NAMED + 1)
    )
    if rows:
        told = [f"{row.id} ({row.status_reason})" if row.status_reason else row.id for row in rows]
        return Finding(
            "queue",
            State.WARN,
            f"waiting for more than a day: {named(told)}",
            "promote them, or cancel them; `longshore get DEPLOYMENT` says what one waits for",
        )
    return Finding("queue", State.OK, "nothing waits for long")


async def _damage(transaction: Transaction) -> Finding:
    p = tables.payload
    damaged = await transaction.all(
        select(p.c.sha256).where(p.c.damage != "").order_by(p.c.sha256).limit(_MOST_NAMED + 1)
    )
    if damaged:
        return Finding(
            "payloads",
            State.BAD,
            f"damaged: {named([row.sha256 for row in damaged])}",
            "deploy their content again, or `longshore admin scrub --repair` on a machine that has the tree",
        )
    return Finding("payloads", State.OK, "no damage is known; `longshore admin scrub` reads everything")


async def _collecting(transaction: Transaction, settings: Settings) -> Finding:
    every_s = settings.collecting.every_s
    if not every_s:
        return Finding(
            "collecting",
            State.WARN,
            "switched off (`collecting.every_s`)",
            "run `longshore admin gc` yourself",
        )
    ended = (await chores.get_chore(transaction, COLLECTING)).end_time
    if ended is None:
        return Finding("collecting", State.OK, "has not been due yet")
    late = await transaction.now() - ended > timedelta(seconds=3 * every_s)
    if late:
        return Finding(
            "collecting",
            State.WARN,
            f"ended last at {ended:%Y-%m-%d %H:%M} UTC, though it is due every {every_s:g} s",
            "see whether a node with the role control runs; its log tells more",
        )
    return Finding("collecting", State.OK, f"ended last at {ended:%Y-%m-%d %H:%M} UTC")
