"""From protobuf messages to what callers ask for, where several rpcs ask for the same."""

from __future__ import annotations

from typing import Any

from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.deploying.terms import Terms
from longshore_server.refusal import invalid
from longshore_storage.catalogue.lifecycle import QueuePolicy

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
        labels=dict(request.labels),
    )


def check_wait_policy(field_name: str, number: int) -> None:
    """Raise ``Refusal`` for a number that is no wait policy."""
    if number not in pb.WaitPolicy.values():
        raise invalid(field_name, f"{number} is no WaitPolicy")
