"""Workflows: from protobuf to ``workflow_models``."""

from __future__ import annotations

import json
from typing import Any, Final

from longshore.v1 import catalog_service_pb2, workflow_pb2

from . import workflow_models
from .conversion import finding
from .errors import ServerFault
from .message_fields import enum_table

_OUTCOMES: Final = enum_table(
    workflow_models.SyncOutcome, workflow_pb2.SyncOutcome.DESCRIPTOR, "SYNC_OUTCOME_"
)


def workflow(message: workflow_pb2.Workflow) -> workflow_models.Workflow:
    """One workflow of a release."""
    return workflow_models.Workflow(
        project=message.project,
        release_version=message.release_version,
        name=message.name,
        ref=message.ref,
        label=message.label,
        version=message.version,
        description=message.description,
        tags=tuple(message.tags),
        enabled=message.enabled,
        task_count=message.task_count,
        path=message.path,
        sha256=message.sha256,
        registered=message.registered,
    )


def detail(message: catalog_service_pb2.GetWorkflowResponse) -> workflow_models.WorkflowDetail:
    """One workflow with its file and its definition. Raises ``ServerFault`` for one that is no object."""
    return workflow_models.WorkflowDetail(
        workflow=workflow(message.workflow),
        source=message.source,
        definition=_definition(message.definition_json) if message.definition_json else None,
    )


def _definition(text: str) -> dict[str, Any]:
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ServerFault("the server sent a workflow's definition that is not JSON") from error
    if not isinstance(definition, dict):
        raise ServerFault("the server sent a workflow's definition that is no object")
    return definition


def counts(message: catalog_service_pb2.CountWorkflowsResponse) -> workflow_models.WorkflowCounts:
    """How many are live."""
    return workflow_models.WorkflowCounts(
        registered=message.registered, enabled=message.enabled, unregistered=message.unregistered
    )


def sync(message: catalog_service_pb2.SyncWorkflowsResponse) -> workflow_models.WorkflowSync:
    """What reading them again came to."""
    return workflow_models.WorkflowSync(
        loaded=message.loaded,
        registered=tuple(
            workflow_models.SyncedWorkflow(
                ref=each.ref,
                release_version=each.release_version,
                outcome=_OUTCOMES.get(each.outcome, workflow_models.SyncOutcome.UNKNOWN),
                warnings=tuple(each.warnings),
            )
            for each in message.registered
        ),
        pruned=tuple(message.pruned),
        errors=tuple(map(finding, message.errors)),
        total_errors=message.total_errors,
        total_registered=message.total_registered,
        total_pruned=message.total_pruned,
    )


def validation(message: catalog_service_pb2.ValidateWorkflowsResponse) -> workflow_models.WorkflowValidation:
    """What validating them told."""
    return workflow_models.WorkflowValidation(
        validated=message.validated,
        error_count=message.error_count,
        workflows=tuple(
            workflow_models.WorkflowFindings(each.path, tuple(map(finding, each.findings)))
            for each in message.workflows
        ),
    )
