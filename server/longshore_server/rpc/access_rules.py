"""What each call takes: the one table from rpc to permission, and to where its request is about.

A test fails when an rpc is missing here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from longshore_server.access.permissions import Permission as P  # noqa: N817

from .access_places import (
    Place,
    Places,
    anywhere,
    everywhere,
    in_request,
    of_activations,
    of_deployment,
    of_environment,
    of_followed,
    of_listed,
    of_node,
    of_nodes,
    of_payload,
    of_payload_everywhere,
    of_project_everywhere,
    of_release,
    of_target,
    of_upload,
    of_verification,
    of_workflows,
)
from .access_to_bring import of_brought, of_repeated

SKIPPING: Final = MappingProxyType(
    {
        "skip_validation": P.VALIDATION_SKIP,
        "skip_dependencies": P.DEPENDENCIES_SKIP,
        "skip_tests": P.TESTS_SKIP,
    }
)
"""What a request needs on top where it sets one of these."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rpc takes; no ``permission`` lets in everybody who has shown who they are.

    Of a request that comes as a stream the first message is looked at. One that ``pages`` reads page by page,
    or counts, what grows with every deployment: it waits for its turn, see ``page_turns``.
    """

    permission: P | None
    place: Callable[[Places, Any], Awaitable[Place | None]] = anywhere
    pages: bool = False


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "DeploymentService/Deploy": Rule(P.DEPLOYMENT_CREATE, in_request("header.")),
        "DeploymentService/DeployRelease": Rule(P.DEPLOYMENT_CREATE, of_brought),
        "DeploymentService/Rollback": Rule(P.DEPLOYMENT_ROLLBACK, of_brought),
        "DeploymentService/Undeploy": Rule(P.DEPLOYMENT_UNDEPLOY, in_request()),
        "DeploymentService/PromoteDeployment": Rule(P.DEPLOYMENT_PROMOTE, of_deployment()),
        "DeploymentService/PauseDeployment": Rule(P.DEPLOYMENT_PAUSE, of_deployment()),
        "DeploymentService/ResumeDeployment": Rule(P.DEPLOYMENT_PAUSE, of_deployment()),
        "DeploymentService/CancelDeployment": Rule(P.DEPLOYMENT_CANCEL, of_deployment()),
        "DeploymentService/RetryDeployment": Rule(P.DEPLOYMENT_CREATE, of_repeated),
        "DeploymentService/GetDeployment": Rule(P.DEPLOYMENT_READ, of_deployment()),
        # Lists and watches leave out what may not be read.
        "DeploymentService/ListDeployments": Rule(P.DEPLOYMENT_READ, pages=True),
        "DeploymentService/WatchDeployments": Rule(P.DEPLOYMENT_READ),
        "DeploymentService/ListActivations": Rule(P.DEPLOYMENT_READ, of_activations, pages=True),
        "DeploymentService/ListFindings": Rule(P.DEPLOYMENT_READ, of_deployment(), pages=True),
        # The deployment may not be there yet: looked at once more when it is.
        "DeploymentService/StreamProgress": Rule(P.DEPLOYMENT_READ, of_followed),
        "DeploymentService/FindMissingChunks": Rule(P.DEPLOYMENT_CREATE, of_upload),
        "DeploymentService/DownloadPayload": Rule(P.PAYLOAD_READ, of_payload),
        "DeploymentService/DeletePayload": Rule(P.PAYLOAD_DELETE, of_payload_everywhere),
        "DeploymentService/ListAuditEntries": Rule(P.AUDIT_READ, pages=True),
        "CatalogService/ListProjects": Rule(P.DEPLOYMENT_READ, pages=True),
        "CatalogService/GetProject": Rule(P.DEPLOYMENT_READ, of_release),
        "CatalogService/UpdateProjectEnvironment": Rule(
            P.PROJECT_CONFIGURE, in_request("project_environment.")
        ),
        "CatalogService/GetEnvironment": Rule(P.DEPLOYMENT_READ, of_environment()),
        "CatalogService/UpdateEnvironment": Rule(
            P.PROJECT_CONFIGURE, of_environment("environment", project="")
        ),
        "CatalogService/ListReleases": Rule(P.DEPLOYMENT_READ, of_release, pages=True),
        "CatalogService/GetRelease": Rule(P.DEPLOYMENT_READ, of_release),
        "CatalogService/PinRelease": Rule(P.PROJECT_CONFIGURE, of_payload_everywhere),
        "CatalogService/ListWorkflows": Rule(P.DEPLOYMENT_READ, of_listed, pages=True),
        "CatalogService/GetWorkflow": Rule(P.DEPLOYMENT_READ, of_workflows),
        "CatalogService/CountWorkflows": Rule(P.DEPLOYMENT_READ, of_listed, pages=True),
        "CatalogService/SyncWorkflows": Rule(P.PROJECT_CONFIGURE, of_project_everywhere),
        "CatalogService/DeleteWorkflows": Rule(P.PROJECT_CONFIGURE, of_project_everywhere),
        "CatalogService/ValidateWorkflows": Rule(P.DEPLOYMENT_READ, of_target),
        "ClusterService/GetServerInfo": Rule(None),
        # Nodes and locks are few, and etcd is asked for them, which may take its time.
        "ClusterService/ListNodes": Rule(P.CLUSTER_READ, of_nodes),
        "ClusterService/WatchNodes": Rule(P.CLUSTER_READ, of_nodes),
        "ClusterService/CordonNode": Rule(P.CLUSTER_ADMIN, of_node),
        "ClusterService/DrainNode": Rule(P.CLUSTER_ADMIN, of_node),
        "ClusterService/RemoveNode": Rule(P.CLUSTER_ADMIN, of_node),
        "ClusterService/ListLocks": Rule(P.CLUSTER_READ, everywhere),
        "ClusterService/VerifyProject": Rule(P.DEPLOYMENT_CREATE, in_request()),
        "ClusterService/GetVerification": Rule(P.DEPLOYMENT_READ, of_verification),
    }
)
