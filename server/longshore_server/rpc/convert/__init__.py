"""From rows to protobuf messages. With the servicers, the only place that knows protobuf."""

from .bundles import bundle, kind_in, method_in, source_in, workflow
from .catalog import environment, project, project_environment, release
from .cluster import lock, node, roles, verification
from .deployments import activation, audit_entry, deployment, findings
from .events import event
from .values import format_name, format_number, moment, status_name

__all__ = [
    "activation",
    "audit_entry",
    "bundle",
    "deployment",
    "environment",
    "event",
    "findings",
    "format_name",
    "format_number",
    "kind_in",
    "lock",
    "method_in",
    "moment",
    "node",
    "project",
    "project_environment",
    "release",
    "roles",
    "source_in",
    "status_name",
    "verification",
    "workflow",
]
