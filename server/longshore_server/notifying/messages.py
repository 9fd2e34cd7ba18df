"""What a receiver is told of an event: a body in JSON, and an id that stays."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from longshore_storage.catalogue.rows import Deployment, Event

_FORMAT: Final = 1
_NAMESPACE: Final = uuid.UUID("3a6c4bf3-25a1-5f0e-9d0c-6f2f6f1f0b57")
_LONGEST_MESSAGE: Final = 2000


def name_of(event: Event) -> str:
    """What receivers call an event: the status that was come to, or ``canary_gate``."""
    return str(event.body["to_status"]).lower() if event.kind == "status_changed" else "canary_gate"


def notification_id(receiver: str, event: Event) -> str:
    """The same for the same event whenever it is asked for.

    The time is in it because a database that was restored gives the numbers of events out again.
    """
    about = (receiver, event.deployment_id, str(event.sequence), event.time.isoformat())
    return str(uuid.uuid5(_NAMESPACE, "\n".join(about)))


def body_of(notification: str, event: Event, deployment: Deployment) -> str:
    """The body as it is sent, as `docs/formats.md` says."""
    document: dict[str, Any] = {
        "format": _FORMAT,
        "id": notification,
        "event": name_of(event),
        "time": event.time.isoformat(),
        "sequence": event.sequence,
        "message": event.message[:_LONGEST_MESSAGE],
        "reason": event.body.get("reason", ""),
        "deployment": {
            "id": deployment.id,
            "project": deployment.project,
            "environment": deployment.environment,
            "kind": deployment.kind.lower(),
            "version": deployment.version,
            "previous_version": deployment.previous_version,
            "deployed_by": deployment.deployed_by,
            "create_time": deployment.create_time.isoformat(),
            "labels": dict(deployment.labels),
        },
    }
    if event.kind == "canary_step_reached":
        document["gate"] = {
            "id": event.body["gate_id"],
            "step": event.body["step"],
            "total_steps": event.body["total_steps"],
            "node_count": event.body["node_count"],
            "due_time": event.body["due_time"] or None,
        }
    elif name_of(event) == "staged":
        document["gate"] = {"id": deployment.gate_id}
    return json.dumps(document, ensure_ascii=False)
