"""The client of Longshore: deploy, follow, take back, download.

``Client`` is for asyncio, ``SyncClient`` for everything else; both speak the frozen values of ``models`` and
``catalog_models`` and raise only what ``errors`` names. Names are loaded when they are first used, so that
the command line starts without waiting for gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .addresses import DEFAULT_SERVER
    from .catalog_models import (
        AuditEntry,
        Default,
        Lock,
        Node,
        NodeRemoved,
        PayloadDeletion,
        Project,
        ProjectEnvironment,
        ProjectOverview,
        Release,
        Retention,
        ServerInfo,
    )
    from .client import Client
    from .decisions import DEFAULT_ENVIRONMENT, new_deployment_id
    from .downloading import Download, DownloadProgress
    from .errors import LongshoreError
    from .events import (
        CanaryStepPassed,
        CanaryStepReached,
        ContentExamined,
        Event,
        HookKind,
        HookOutput,
        NodeHookOutput,
        NodesStepped,
        NodeStep,
        Snapshot,
        StatusChanged,
    )
    from .models import (
        Activation,
        ActivationStatus,
        Deployment,
        DeploymentError,
        DeploymentKind,
        DeploymentStatus,
        Finding,
        NodeCounts,
        NodeRole,
        PayloadFormat,
        QueuePolicy,
        Severity,
        TransferStats,
        Validation,
        VersionBump,
    )
    from .policy import CallPolicy
    from .strategies import CanaryStep, FailurePolicy, RolloutStrategy
    from .sync_client import SyncClient
    from .terms import Terms
    from .upload_progress import UploadPhase, UploadProgress, Way

_HOMES = {
    "catalog_models": (
        *(
            "AuditEntry",
            "Default",
            "Lock",
            "Node",
            "NodeRemoved",
            "PayloadDeletion",
            "Project",
            "ProjectEnvironment",
        ),
        *("ProjectOverview", "Release", "Retention", "ServerInfo"),
    ),
    "addresses": ("DEFAULT_SERVER",),
    "client": ("Client",),
    "decisions": ("DEFAULT_ENVIRONMENT", "new_deployment_id"),
    "downloading": ("Download", "DownloadProgress"),
    "errors": ("LongshoreError",),
    "events": (
        *("CanaryStepPassed", "CanaryStepReached", "ContentExamined", "Event", "HookKind", "HookOutput"),
        *("NodeHookOutput", "NodeStep", "NodesStepped", "Snapshot", "StatusChanged"),
    ),
    "models": (
        *("Activation", "ActivationStatus", "Deployment", "DeploymentError", "DeploymentKind"),
        *("DeploymentStatus", "Finding", "NodeCounts", "NodeRole", "PayloadFormat", "QueuePolicy"),
        *("Severity", "TransferStats", "Validation", "VersionBump"),
    ),
    "policy": ("CallPolicy",),
    "strategies": ("CanaryStep", "FailurePolicy", "RolloutStrategy"),
    "sync_client": ("SyncClient",),
    "terms": ("Terms",),
    "upload_progress": ("UploadPhase", "UploadProgress", "Way"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_ENVIRONMENT",
    "DEFAULT_SERVER",
    "Activation",
    "ActivationStatus",
    "AuditEntry",
    "CallPolicy",
    "CanaryStep",
    "CanaryStepPassed",
    "CanaryStepReached",
    "Client",
    "ContentExamined",
    "Default",
    "Deployment",
    "DeploymentError",
    "DeploymentKind",
    "DeploymentStatus",
    "Download",
    "DownloadProgress",
    "Event",
    "FailurePolicy",
    "Finding",
    "HookKind",
    "HookOutput",
    "Lock",
    "LongshoreError",
    "Node",
    "NodeCounts",
    "NodeHookOutput",
    "NodeRemoved",
    "NodeRole",
    "NodeStep",
    "NodesStepped",
    "PayloadDeletion",
    "PayloadFormat",
    "Project",
    "ProjectEnvironment",
    "ProjectOverview",
    "QueuePolicy",
    "Release",
    "Retention",
    "RolloutStrategy",
    "ServerInfo",
    "Severity",
    "Snapshot",
    "StatusChanged",
    "SyncClient",
    "Terms",
    "TransferStats",
    "UploadPhase",
    "UploadProgress",
    "Validation",
    "VersionBump",
    "Way",
    "new_deployment_id",
]


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module(".errors", __name__)
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{home}", __name__), name)
