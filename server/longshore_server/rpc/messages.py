"""Messages of deployments and of their progress, from what is known beside their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from longshore.v1 import cluster_service_pb2, progress_pb2
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.deploying.validating import Validated
from longshore_server.progress import NodeState, Snapshot
from longshore_server.views import DeploymentView
from longshore_storage.catalogue.rows import Event

from . import convert
from .fitting import fitting
from .page_tokens import LARGEST_PAGE_SIZE

# Beside a manifest, which is up to 1 MiB.
_FINDINGS_BYTES: Final = 1 << 20


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


def validation_message(validated: Validated) -> pb.Validation:
    """What examining a payload told; as many findings as always fit into a message."""
    bundle = validated.bundle
    return pb.Validation(
        valid=validated.valid,
        version=validated.version,
        payload_sha256=validated.stored.sha256,
        payload_size_bytes=validated.stored.size_bytes,
        content_sha256=validated.scan.content_sha256,
        payload_format=convert.format_number(validated.scan.payload_format.name),
        entries=validated.scan.entry_count,
        unpacked_size_bytes=validated.scan.unpacked_bytes,
        findings=fitting(
            convert.findings([asdict(one) for one in validated.findings[:LARGEST_PAGE_SIZE]]), _FINDINGS_BYTES
        ),
        total_findings=validated.total_findings,
        bundle=convert.bundle(bundle.kind, bundle.manifest) if validated.scan.is_safe else None,
        workflow_count=len(bundle.workflows),
    )


def progress_message(events: Sequence[Event], snapshot: Snapshot | None) -> bytes:
    """What one message of a stream tells, serialised once for all who follow.

    Serialised messages one behind the other are their merge, so that parts of one are put together as bytes.
    """
    message = pb.StreamProgressResponse(events=[convert.event(event) for event in events])
    if snapshot is not None:
        message.snapshot.CopyFrom(
            progress_pb2.ProgressSnapshot(
                deployment=deployment_message(snapshot.view),
                compacted_through=snapshot.view.deployment.compacted_through,
                activations=[convert.activation(one) for one in snapshot.activations],
            )
        )
    return message.SerializeToString()


def watch_message(seen: Sequence[DeploymentView], up_to_date: bool) -> bytes:
    """Deployments as they stand now, serialised once for all who watch; parts of a message like the above."""
    message = pb.WatchDeploymentsResponse(
        deployments=[listed_message(one) for one in seen], up_to_date=up_to_date
    )
    return message.SerializeToString()


def nodes_message(seen: Sequence[NodeState], removed: Sequence[str], up_to_date: bool) -> bytes:
    """Nodes as they stand now, serialised once for all who watch; parts of a message like the above."""
    message = cluster_service_pb2.WatchNodesResponse(
        nodes=[convert.node(one.node, alive=one.alive) for one in seen],
        removed_node_names=removed,
        up_to_date=up_to_date,
    )
    return message.SerializeToString()
