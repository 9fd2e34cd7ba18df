"""The schema: every table of the catalogue, with the constraints that hold whatever the code does.

Both databases get the same tables. Statuses are text, so that a person reads them with any SQL client.
``docs/architecture.md`` tells how the tables hang together; changes go through ``migrations/``.
"""

from __future__ import annotations

from .access import access_token
from .bundles import bundle, dependency, workflow, workflow_content
from .deployments import deployment, deployment_label, release
from .history import audit_entry, audit_seal, event, finding
from .nodes import activation, assignment, hook_output, node, rollout_node
from .notifications import notification
from .places import environment, project, project_environment
from .schema import metadata
from .stored import (
    chore,
    chunk,
    condemned,
    identity,
    manifest_draft,
    orphan,
    pack_file,
    payload,
    payload_pack,
)
from .uploads import pin, upload, upload_segment
from .verifications import node_verification, verification

__all__ = [
    "access_token",
    "activation",
    "assignment",
    "audit_entry",
    "audit_seal",
    "bundle",
    "chore",
    "chunk",
    "condemned",
    "dependency",
    "deployment",
    "deployment_label",
    "environment",
    "event",
    "finding",
    "hook_output",
    "identity",
    "manifest_draft",
    "metadata",
    "node",
    "node_verification",
    "notification",
    "orphan",
    "pack_file",
    "payload",
    "payload_pack",
    "pin",
    "project",
    "project_environment",
    "release",
    "rollout_node",
    "upload",
    "upload_segment",
    "verification",
    "workflow",
    "workflow_content",
]
