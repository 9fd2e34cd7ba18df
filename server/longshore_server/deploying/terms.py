"""The terms of a deployment: what must be live, what becomes of it beside others, its gate, its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from longshore_server.refusal import invalid
from longshore_storage.catalogue.lifecycle import QueuePolicy
from longshore_storage.catalogue.rows import Deployment

_MOST_LABELS = 32
_LABEL_KEY = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
_LONGEST_LABEL_BYTES = 255
# A page of 500 deployments must fit into a message.
_MOST_LABEL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Terms:
    """``expected_live`` is a deployment's id, empty for nothing ever, or None for whatever is live."""

    stage_only: bool = False
    expected_live: str | None = None
    queue_policy: QueuePolicy = QueuePolicy.WAIT
    labels: Mapping[str, str] = field(default_factory=dict)

    def checked(self, prefix: str = "") -> Terms:
        """The terms with every field looked at; raises ``Refusal`` with the field that is wrong."""
        check_labels(f"{prefix}labels", self.labels)
        return Terms(
            stage_only=self.stage_only,
            expected_live=_expected(f"{prefix}expected_live_deployment_id", self.expected_live),
            queue_policy=self.queue_policy,
            labels=dict(self.labels),
        )

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Those that a recorded deployment was given, less the gate."""
        return cls(
            expected_live=deployment.expected_live_deployment_id,
            queue_policy=deployment.queue_policy,
            labels=deployment.labels,
        )

    def columns(self) -> dict[str, Any]:
        """As a deployment's row keeps them."""
        return {
            "expected_live_deployment_id": self.expected_live,
            "queue_policy": self.queue_policy,
            "labels": self.labels,
        }


def check_labels(field_name: str, labels: Mapping[str, str]) -> None:
    """Raise ``Refusal`` for labels that no deployment can have."""
    if len(labels) > _MOST_LABELS:
        raise invalid(field_name, f"at most {_MOST_LABELS}, got {len(labels)}")
    if sum(len(key) + len(value.encode()) for key, value in labels.items()) > _MOST_LABEL_BYTES:
        raise invalid(field_name, f"together more than {_MOST_LABEL_BYTES} bytes")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise invalid(field_name, f"the key {key[:80]!r} does not match ^{_LABEL_KEY.pattern}$")
        if len(value.encode()) > _LONGEST_LABEL_BYTES:
            raise invalid(
                field_name, f"the value of {key} is longer than {_LONGEST_LABEL_BYTES} bytes of UTF-8"
            )
        if not value.isprintable():
            raise invalid(field_name, f"the value of {key} holds control characters")


def _expected(field_name: str, value: str | None) -> str | None:
    if not value:
        return value
    try:
        return str(UUID(value))
    except ValueError:
        raise invalid(field_name, f"{value[:64]!r} is no UUID") from None
