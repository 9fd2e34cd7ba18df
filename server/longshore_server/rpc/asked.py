"""From protobuf messages to what callers ask for, where several rpcs ask for the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.deploying.terms import Terms
from longshore_server.refusal import invalid
from longshore_storage.catalogue.lifecycle import QueuePolicy

from .strategies import failure_policy_of, strategy_in

_QUEUE_POLICIES = {
    pb.QUEUE_POLICY_UNSPECIFIED: QueuePolicy.WAIT,
    pb.QUEUE_POLICY_WAIT: QueuePolicy.WAIT,
    pb.QUEUE_POLICY_SUPERSEDE: QueuePolicy.SUPERSEDE,
    pb.QUEUE_POLICY_FAIL: QueuePolicy.FAIL,
}


def terms_of(request: Any, *, prefix: str = "", queue_policy: QueuePolicy | None = None) -> Terms:
    """The terms in a request, not looked at yet; ``queue_policy`` where the rpc leaves no choice."""
    if queue_policy is None:
        if request.queue_policy not in _QUEUE_POLICIES:
            raise invalid(f"{prefix}queue_policy", f"{request.queue_policy} is no QueuePolicy")
        queue_policy = _QUEUE_POLICIES[request.queue_policy]
    expected = request.HasField("expected_live_deployment_id")
    return Terms(
        stage_only=getattr(request, "stage_only", False),
        expected_live=request.expected_live_deployment_id if expected else None,
        queue_policy=queue_policy,
        strategy=strategy_in(request, f"{prefix}strategy"),
        failure_policy=failure_policy_of(request.failure_policy, f"{prefix}failure_policy"),
        labels=dict(request.labels),
        skip_dependencies=request.skip_dependencies,
    )


def check_wait_policy(field_name: str, number: int) -> None:
    """Raise ``Refusal`` for a number that is no wait policy."""
    if number not in pb.WaitPolicy.values():
        raise invalid(field_name, f"{number} is no WaitPolicy")


def settings_named(given: catalog.ProjectEnvironment, paths: Iterable[str]) -> dict[str, Any]:
    """What a field mask names of a project's settings, by path; unknown paths too, without a value."""
    retention = given.retention
    age = retention.max_age
    if age.nanos:
        raise invalid("project_environment.retention.max_age", "must be whole seconds")
    values: dict[str, Any] = {
        "freeze_reason": given.freeze_reason,
        "kept_rollback_targets": _set(given, "kept_rollback_targets"),
        "retention.keep_releases": _set(retention, "keep_releases"),
        "retention.max_age": age.seconds if retention.HasField("max_age") else None,
        "retention.max_size_bytes": _set(retention, "max_size_bytes"),
        "node_selector": dict(given.node_selector),
        "second_person": given.second_person,
        "strategy": strategy_in(given, "project_environment.strategy"),
        "failure_policy": failure_policy_of(given.failure_policy, "project_environment.failure_policy"),
    }
    named: dict[str, Any] = {}
    for path in paths:
        under = [name for name in values if name.startswith(f"{path}.")]
        named |= {name: values.get(name) for name in under or [path]}
    return named


def _set(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None
