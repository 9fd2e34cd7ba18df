"""The terms of a deployment: what must be live, what becomes of it beside others, its gate, its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_storage.catalogue.lifecycle import FailurePolicy, QueuePolicy
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.strategy import Strategy, UnknownTerms

from .labels import check_labels
from .strategies import check_strategy


@dataclass(frozen=True, slots=True)
class Terms:
    """``expected_live`` is a deployment's id, empty for nothing ever, or None for whatever is live.

    A strategy and a failure policy that are None are what is set for the place when the rollout begins.
    """

    stage_only: bool = False
    expected_live: str | None = None
    queue_policy: QueuePolicy = QueuePolicy.WAIT
    strategy: Strategy | None = None
    failure_policy: FailurePolicy | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    skip_dependencies: bool = False

    def checked(self, prefix: str = "") -> Terms:
        """The terms with every field looked at; raises ``Refusal`` with the field that is wrong."""
        check_labels(f"{prefix}labels", self.labels)
        if self.strategy is not None:
            check_strategy(f"{prefix}strategy", self.strategy)
        expected_live = _expected(f"{prefix}expected_live_deployment_id", self.expected_live)
        return replace(self, expected_live=expected_live, labels=dict(self.labels))

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Those that a recorded deployment was given, less the gate. Raises ``Refusal``."""
        return cls(
            expected_live=deployment.expected_live_deployment_id,
            queue_policy=deployment.queue_policy,
            strategy=_strategy_of(deployment),
            failure_policy=FailurePolicy(deployment.failure_policy) if deployment.failure_policy else None,
            labels=deployment.labels,
            skip_dependencies=deployment.skip_dependencies,
        )

    def columns(self) -> dict[str, Any]:
        """As a deployment's row keeps them."""
        return {
            "expected_live_deployment_id": self.expected_live,
            "queue_policy": self.queue_policy,
            "strategy": self.strategy.to_row() if self.strategy is not None else None,
            "failure_policy": self.failure_policy or "",
            "labels": self.labels,
            "skip_dependencies": self.skip_dependencies,
        }


def _expected(field_name: str, value: str | None) -> str | None:
    if not value:
        return value
    try:
        return str(UUID(value))
    except ValueError:
        raise invalid(field_name, f"{value[:64]!r} is no UUID") from None


def _strategy_of(deployment: Deployment) -> Strategy | None:
    if deployment.strategy is None:
        return None
    try:
        return Strategy.to_drive(deployment.strategy, deployment.failure_policy)
    except UnknownTerms as error:
        raise Refusal(Reason.MISCONFIGURED, f"{error}: ask a node of a later version") from None
