"""Messages of deployments and of their progress, from what is known beside their rows."""

from __future__ import annotations

from typing import Any

from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import progress_pb2
from longshore_server.progress import Update
from longshore_server.views import DeploymentView

from . import convert


def deployment_message(seen: DeploymentView) -> Any:
    """Everything about one deployment."""
    message = convert.deployment(
        seen.deployment, counts=seen.counts, live=seen.live, payload_present=seen.payload_present
    )
    if message.HasField("transfer"):
        message.transfer.durable_bytes = seen.durable_bytes
    return message


def listed_message(seen: DeploymentView) -> Any:
    """A deployment as lists tell it: without findings, so that the largest page fits into a message."""
    message = deployment_message(seen)
    if message.HasField("error"):
        message.error.ClearField("findings")
    return message


def progress_message(update: Update) -> pb.StreamProgressResponse:
    """What one message of a stream tells."""
    message = pb.StreamProgressResponse(events=[convert.event(event) for event in update.events])
    if update.snapshot is not None:
        message.snapshot.CopyFrom(
            progress_pb2.ProgressSnapshot(
                deployment=deployment_message(update.snapshot.view),
                compacted_through=update.snapshot.view.deployment.compacted_through,
                activations=[convert.activation(one) for one in update.snapshot.activations],
            )
        )
    return message
