"""Nodes, the locks that they hold, and what they found when they verified."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from longshore.v1 import cluster_service_pb2
from longshore_server.verifying import VerificationView
from longshore_storage.catalogue import rows
from longshore_storage.catalogue.rollouts import RollingPlace
from longshore_storage.catalogue.verifications import NodeVerification
from longshore_storage.ports import HeldLock

from .values import number_of, timestamp

# Of very many nodes with very long paths the last ones tell only how many differences there are.
_MOST_DIFFERENCES_BYTES: Final = 1 << 20


def roles(names: Iterable[str]) -> list[cluster_service_pb2.NodeRole.ValueType]:
    """Roles by their names in rows."""
    return [number_of(cluster_service_pb2.NodeRole, "NODE_ROLE_", name.upper()) for name in names]


def node(row: rows.Node, *, alive: bool) -> cluster_service_pb2.Node:
    """A node."""
    return cluster_service_pb2.Node(
        node_id=row.id,
        node_name=row.name,
        environment=row.environment,
        roles=roles(row.roles),
        address=row.address,
        server_version=row.server_version,
        alive=alive,
        boot_number=row.boot_number,
        boot_time=timestamp(row.boot_time),
        free_disk_bytes=row.free_disk_bytes,
        report_time=timestamp(row.report_time),
        cordon_reason=row.cordon_reason,
        cordoned_by=row.cordoned_by,
        cordon_time=timestamp(row.cordon_time),
        labels=row.labels,
        draining=row.draining,
        upload_count=row.upload_count,
        rollout_count=row.rollout_count,
    )


def lock(held: HeldLock, *, node_name: str | None, rolling: RollingPlace | None) -> cluster_service_pb2.Lock:
    """A lock, with who holds it and what rolls out under it."""
    _, is_rollout, place = held.name.partition("rollout/")
    environment, _, project = place.partition("/")
    return cluster_service_pb2.Lock(
        name=held.name,
        holder=held.holder,
        node_name=node_name or "",
        project=project if is_rollout else "",
        environment=environment if is_rollout else "",
        deployment_id=rolling.deployment_id if rolling else "",
        waiting=held.waiting,
    )


def verification(view: VerificationView) -> cluster_service_pb2.Verification:
    """A verification as it stands, no larger than a message may be."""
    told = cluster_service_pb2.Verification(
        verification_id=view.asked.id,
        project=view.asked.project,
        environment=view.asked.environment,
        repair=view.asked.repair,
        asked_by=view.asked.asked_by,
        create_time=timestamp(view.asked.create_time),
    )
    left_bytes = _MOST_DIFFERENCES_BYTES
    for row in view.nodes:
        message = _node_verification(row)
        left_bytes -= sum(each.ByteSize() for each in message.differences)
        if left_bytes < 0:
            message.ClearField("differences")
        told.nodes.append(message)
    return told


def _node_verification(row: NodeVerification) -> cluster_service_pb2.NodeVerification:
    return cluster_service_pb2.NodeVerification(
        node_name=row.node_name,
        status=number_of(cluster_service_pb2.VerificationStatus, "VERIFICATION_STATUS_", row.status),
        version=row.version,
        compared_entries=row.compared_entries,
        differences=[
            cluster_service_pb2.TreeDifference(
                path=path, kind=number_of(cluster_service_pb2.DifferenceKind, "DIFFERENCE_KIND_", kind)
            )
            for path, kind in row.differences
        ],
        total_differences=row.total_differences,
        message=row.message,
        end_time=timestamp(row.end_time),
    )
