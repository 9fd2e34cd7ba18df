"""The client of Longshore: deploy, follow, take back, download.

``Client`` is for asyncio, ``SyncClient`` for everything else; both speak the frozen values of ``models`` and
``catalog_models`` and raise only what ``errors`` names. ``sources`` brings here what a payload can come from.
Names are loaded when they are first used, so that the command line starts without waiting for gRPC.
"""

from __future__ import annotations

import importlib

# What `typing` defines, which takes longer to load than all else before `longshore` can take a Ctrl-C.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .addresses import DEFAULT_SERVER
    from .bundle_models import (
        Bundle,
        BundleDependency,
        BundleKind,
        InstallMethod,
        RuntimeDependency,
        Source,
        SourceKind,
    )
    from .catalog_models import (
        AuditEntry,
        Default,
        Environment,
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
    from .contents import PackContents, pack_contents
    from .credentials import Credentials
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
    from .planning import PlannedPack
    from .policy import CallPolicy
    from .strategies import CanaryStep, FailurePolicy, RolloutStrategy
    from .sync_client import SyncClient
    from .terms import Terms
    from .upload_progress import UploadPhase, UploadProgress, Way
    from .verification_models import (
        DifferenceKind,
        NodeVerification,
        TreeDifference,
        Verification,
        VerificationStatus,
    )
    from .workflow_models import (
        SyncedWorkflow,
        SyncOutcome,
        Workflow,
        WorkflowCounts,
        WorkflowDetail,
        WorkflowFindings,
        WorkflowSync,
        WorkflowValidation,
    )

_HOMES = {
    "catalog_models": (
        *(
            "AuditEntry",
            "Default",
            "Environment",
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
    "bundle_models": (
        *("Bundle", "BundleDependency", "BundleKind", "InstallMethod", "RuntimeDependency", "Source"),
        "SourceKind",
    ),
    "client": ("Client",),
    "contents": ("PackContents", "pack_contents"),
    "decisions": ("DEFAULT_ENVIRONMENT", "new_deployment_id"),
    "downloading": ("Download", "DownloadProgress"),
    "credentials": ("Credentials",),
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
    "planning": ("PlannedPack",),
    "policy": ("CallPolicy",),
    "strategies": ("CanaryStep", "FailurePolicy", "RolloutStrategy"),
    "sync_client": ("SyncClient",),
    "terms": ("Terms",),
    "upload_progress": ("UploadPhase", "UploadProgress", "Way"),
    "verification_models": (
        *("DifferenceKind", "NodeVerification", "TreeDifference", "Verification", "VerificationStatus"),
    ),
    "workflow_models": (
        *("SyncOutcome", "SyncedWorkflow", "Workflow", "WorkflowCounts", "WorkflowDetail"),
        *("WorkflowFindings", "WorkflowSync", "WorkflowValidation"),
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_ENVIRONMENT",
    "DEFAULT_SERVER",
    "Activation",
    "ActivationStatus",
    "AuditEntry",
    "Bundle",
    "BundleDependency",
    "BundleKind",
    "CallPolicy",
    "CanaryStep",
    "CanaryStepPassed",
    "CanaryStepReached",
    "Client",
    "ContentExamined",
    "Credentials",
    "Default",
    "Deployment",
    "DeploymentError",
    "DeploymentKind",
    "DeploymentStatus",
    "DifferenceKind",
    "Download",
    "DownloadProgress",
    "Environment",
    "Event",
    "FailurePolicy",
    "Finding",
    "HookKind",
    "HookOutput",
    "InstallMethod",
    "Lock",
    "LongshoreError",
    "Node",
    "NodeCounts",
    "NodeHookOutput",
    "NodeRemoved",
    "NodeRole",
    "NodeStep",
    "NodeVerification",
    "NodesStepped",
    "PackContents",
    "PayloadDeletion",
    "PayloadFormat",
    "PlannedPack",
    "Project",
    "ProjectEnvironment",
    "ProjectOverview",
    "QueuePolicy",
    "Release",
    "Retention",
    "RolloutStrategy",
    "RuntimeDependency",
    "ServerInfo",
    "Severity",
    "Snapshot",
    "Source",
    "SourceKind",
    "StatusChanged",
    "SyncClient",
    "SyncOutcome",
    "SyncedWorkflow",
    "Terms",
    "TransferStats",
    "TreeDifference",
    "UploadPhase",
    "UploadProgress",
    "Validation",
    "Verification",
    "VerificationStatus",
    "VersionBump",
    "Way",
    "Workflow",
    "WorkflowCounts",
    "WorkflowDetail",
    "WorkflowFindings",
    "WorkflowSync",
    "WorkflowValidation",
    "new_deployment_id",
    "pack_contents",
]


def __getattr__(name: str) -> object:
    if name in ("errors", "sources"):
        return importlib.import_module(f".{name}", __name__)
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{home}", __name__), name)
