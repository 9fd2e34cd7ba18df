"""The terms of a deployment: what must be live, what becomes of it beside others, its gate, its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

from longshore_server.refusal import invalid
from longshore_storage.catalogue.lifecycle import FailurePolicy, QueuePolicy
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.strategy import Strategy

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

    def checked(self, prefix: str = "") -> Terms:
        """The terms with every field looked at; raises ``Refusal`` with the field that is wrong."""
        check_labels(f"{prefix}labels", self.labels)
        if self.strategy is not None:
            check_strategy(f"{prefix}strategy", self.strategy)
        expected_live = _expected(f"{prefix}expected_live_deployment_id", self.expected_live)
        return replace(self, expected_live=expected_live, labels=dict(self.labels))

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Those that a recorded deployment was given, less the gate."""
        return cls(
            expected_live=deployment.expected_live_deployment_id,
            queue_policy=deployment.queue_policy,
            strategy=Strategy.of_row(deployment.strategy),
            failure_policy=FailurePolicy(deployment.failure_policy) if deployment.failure_policy else None,
            labels=deployment.labels,
        )

    def columns(self) -> dict[str, Any]:
        """As a deployment's row keeps them."""
        return {
            "expected_live_deployment_id": self.expected_live,
            "queue_policy": self.queue_policy,
            "strategy": self.strategy.to_row() if self.strategy is not None else None,
            "failure_policy": self.failure_policy or "",
            "labels": self.labels,
        }


def _expected(field_name: str, value: str | None) -> str | None:
    if not value:
        return value
    try:
        return str(UUID(value))
    except ValueError:
        raise invalid(field_name, f"{value[:64]!r} is no UUID") from None
