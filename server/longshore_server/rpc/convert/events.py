"""Numbered events: what one tells beside its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from longshore.v1 import deployment_pb2, progress_pb2
from longshore_storage.catalogue import rows

from .deployments import findings
from .values import number_of, status_number, timestamp


def event(row: rows.Event) -> progress_pb2.ProgressEvent:
    """A numbered event; a kind that this version does not know has only its sentence."""
    message = progress_pb2.ProgressEvent(
        deployment_id=row.deployment_id,
        sequence=row.sequence,
        time=timestamp(row.time),
        message=row.message,
    )
    body = row.body
    if row.kind == "status_changed":
        message.status_changed.CopyFrom(
            progress_pb2.StatusChanged(
                from_status=status_number(body["from_status"]),
                to_status=status_number(body["to_status"]),
                reason=body["reason"],
            )
        )
    elif row.kind == "nodes_stepped":
        message.nodes_stepped.steps.extend(
            progress_pb2.NodeStep(
                node_id=step["node_id"],
                node_name=step["node_name"],
                status=number_of(deployment_pb2.ActivationStatus, "ACTIVATION_STATUS_", step["status"]),
                message=step["message"],
            )
            for step in body["steps"]
        )
    elif row.kind == "content_examined":
        message.content_examined.CopyFrom(
            progress_pb2.ContentExamined(
                content_sha256=body["content_sha256"],
                entries=body["entries"],
                unpacked_size_bytes=body["unpacked_size_bytes"],
                findings=findings(body["findings"]),
                total_findings=body["total_findings"],
            )
        )
    elif row.kind == "canary_step_reached":
        message.canary_step_reached.CopyFrom(
            progress_pb2.CanaryStepReached(
                step=body["step"],
                total_steps=body["total_steps"],
                node_count=body["node_count"],
                gate_id=body["gate_id"],
                due_time=timestamp(datetime.fromisoformat(body["due_time"])) if body["due_time"] else None,
            )
        )
    elif row.kind == "canary_step_passed":
        message.canary_step_passed.CopyFrom(
            progress_pb2.CanaryStepPassed(
                step=body["step"], total_steps=body["total_steps"], promoted_by=body["promoted_by"]
            )
        )
    elif row.kind == "hook_output":
        message.hook_output.outputs.extend(_hook_output(output) for output in body["outputs"])
    return message


def _hook_output(output: Mapping[str, Any]) -> progress_pb2.NodeHookOutput:
    return progress_pb2.NodeHookOutput(
        node_id=output["node_id"],
        node_name=output["node_name"],
        hook=output["hook"],
        kind=number_of(progress_pb2.HookKind, "HOOK_KIND_", output["kind"]),
        taking_back=output["taking_back"],
        lines=output["lines"],
        skipped_lines=output["skipped_lines"],
        ended=output["ended"],
        exit_code=output["exit_code"],
        outcome=output["outcome"],
    )
