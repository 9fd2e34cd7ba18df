"""Deployments in the middle of a rollout, as a server tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import progress_pb2 as p
from longshore_client import CanaryStep, Deployment, Event, RolloutStrategy, Snapshot, conversion
from longshore_client.strategy_conversion import strategy_message

ID = "5f0c31aa-0000-4000-8000-000000000001"
DUE = datetime(2026, 1, 2, 14, 5, 12, tzinfo=UTC)
TWO_STEPS = RolloutStrategy(
    canary_steps=(CanaryStep(nodes=1), CanaryStep(percent=50, wait_time=timedelta(minutes=5))),
    max_nodes_at_once=2,
)


def message(
    status: str = "ROLLING_OUT",
    *,
    kind: str = "RELEASE",
    counts: dict[str, int] | None = None,
    due: datetime | None = None,
    **more: Any,
) -> d.Deployment:
    """Version 1.2.0 of web on five nodes in production, in this status."""
    told = d.Deployment(
        deployment_id=ID,
        project="web",
        version="1.2.0",
        environment="production",
        deployed_by="ada",
        kind=d.DeploymentKind.Value(f"DEPLOYMENT_KIND_{kind}"),
        status=d.DeploymentStatus.Value(f"DEPLOYMENT_STATUS_{status}"),
        node_counts=d.NodeCounts(**{"expected": 5, **(counts or {})}),
        strategy=strategy_message(TWO_STEPS),
        **more,
    )
    if due is not None:
        told.canary_due_time.FromDatetime(due)
    return told


def deployment(status: str = "ROLLING_OUT", **more: Any) -> Deployment:
    """The same, as the library gives it."""
    return conversion.deployment(message(status, **more))


def snapshot(status: str = "ROLLING_OUT", **more: Any) -> Snapshot:
    """How it stands."""
    return conversion.snapshot(p.ProgressSnapshot(deployment=message(status, **more)))


def event(sequence: int, sentence: str, **detail: Any) -> Event:
    """An event of it."""
    return conversion.event(p.ProgressEvent(deployment_id=ID, sequence=sequence, message=sentence, **detail))
