"""Spans of rollouts, in the trace of the call that made the deployment.

A rollout may take days, and several nodes may drive it one after the other: so it is told when it has ended,
by who ended it, with the times of its row. Steps in which something happened are told one by one, by who took
them: also those of a driver that has died since.
"""

from __future__ import annotations

from datetime import UTC, datetime

from longshore_server.tracing import record_span
from longshore_storage.catalogue.rows import Deployment


def record_rollout(ended: Deployment) -> None:
    """Tell of a rollout that has ended; one that never began has no span."""
    if ended.start_time is None or ended.end_time is None:
        return
    record_span(
        "rollout",
        within=ended.trace_context,
        begun=ended.start_time,
        ended=ended.end_time,
        deployment_id=ended.id,
        project=ended.project,
        environment=ended.environment,
        version=ended.version,
        status=ended.status.value,
        nodes=ended.covered_nodes,
        owner_epoch=ended.owner_epoch,
    )


def record_step(of: Deployment | None, begun: datetime, *, assigned: bool) -> None:
    """Tell of a step that has just been taken, and whether nodes got their turn by it."""
    if of is None:
        return
    record_span(
        "rollout.step",
        within=of.trace_context,
        begun=begun,
        ended=datetime.now(UTC),
        deployment_id=of.id,
        project=of.project,
        environment=of.environment,
        assigned=assigned,
    )
