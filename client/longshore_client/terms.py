"""The terms under which a deployment is made; the same for every call that makes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.v1 import deployment_service_pb2

from .models import QueuePolicy
from .strategies import FailurePolicy, RolloutStrategy
from .strategy_conversion import policy_number, strategy_message


@dataclass(frozen=True, slots=True)
class Terms:
    """``expected_live``: the deployment that must be live, by id, "" for none ever, None for any.

    ``stage_only`` records it and waits for ``Client.promote``. With another thing live than expected the
    call raises ``LiveChanged``, with ``QueuePolicy.FAIL`` beside unfinished deployments ``QueueBusy``.
    ``labels`` are there to find it by. ``strategy`` is how its rollout goes over the nodes, and
    ``failure_policy`` what becomes of them when it fails; None as they are set for the project there.
    ``skip_validation`` lets errors in what is uploaded through, recorded as findings; ``skip_dependencies``
    what is live beside it; ``skip_tests`` leaves out the tests that what is uploaded brings along, on nodes
    that run those. Rollbacks, undeploys and retries are never staged; a rollback always supersedes.
    """

    stage_only: bool = False
    expected_live: str | None = None
    queue_policy: QueuePolicy = QueuePolicy.WAIT
    labels: Mapping[str, str] = field(default_factory=dict)
    strategy: RolloutStrategy | None = None
    failure_policy: FailurePolicy | None = None
    skip_validation: bool = False
    skip_dependencies: bool = False
    skip_tests: bool = False

    def write(self, request: Any) -> None:
        """Set a request's fields; raises ``ValueError`` for what it does not have, or cannot be."""
        fields = request.DESCRIPTOR.fields_by_name
        if "stage_only" in fields:
            request.stage_only = self.stage_only
        elif self.stage_only:
            raise ValueError("only what is deployed can be staged")
        if "skip_validation" in fields:
            request.skip_validation = self.skip_validation
        elif self.skip_validation:
            raise ValueError("only what is uploaded is validated")
        if "skip_tests" in fields:
            request.skip_tests = self.skip_tests
        elif self.skip_tests:
            raise ValueError("only what is uploaded can leave its tests out")
        request.skip_dependencies = self.skip_dependencies
        if "queue_policy" in fields:
            request.queue_policy = deployment_service_pb2.QueuePolicy.Value(
                f"QUEUE_POLICY_{self.queue_policy.name}"
            )
        if self.expected_live is not None:
            request.expected_live_deployment_id = self.expected_live
        request.labels.update(self.labels)
        if self.strategy is not None:
            request.strategy.CopyFrom(strategy_message(self.strategy))
        if self.failure_policy is not None:
            request.failure_policy = policy_number(self.failure_policy)


ANY_TERMS = Terms()
