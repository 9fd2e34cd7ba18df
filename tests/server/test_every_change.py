"""Every rpc that changes something leaves an entry, with who, from where, about what, from what to what."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.rpc.access_rules import RULES
from longshore_server.rpc.interceptor import REQUEST_ID_KEY
from longshore_storage.catalogue.audit_seals import BEGIN, entries_between
from longshore_storage.catalogue.rows import AuditEntry

from .calls import deploy, deploy_to_end, ended, get, new_id, until
from .gone_nodes import gone
from .manifests import pack, workflow
from .running import RunningNode, embedded
from .test_strategy_calls import CANARY

PLACE: Final[dict[str, Any]] = {"project": "netops", "environment": "default"}
# What an entry must tell, by rpc: its action, from what and to what. None is what the call does not fix.
CHANGES: Final[dict[str, tuple[str, str | None, str | None]]] = {
    "DeploymentService/Deploy": ("deployment.accepted", "", "PENDING"),
    "DeploymentService/DeployRelease": ("deployment.accepted", "", "PENDING"),
    "DeploymentService/Rollback": ("deployment.accepted", "", "PENDING"),
    "DeploymentService/Undeploy": ("deployment.accepted", "", "PENDING"),
    "DeploymentService/RetryDeployment": ("deployment.accepted", "", "PENDING"),
    "DeploymentService/PromoteDeployment": ("deployment.promoted", "STAGED", "QUEUED"),
    "DeploymentService/PauseDeployment": ("deployment.pause_requested", None, None),
    "DeploymentService/ResumeDeployment": ("deployment.resume_requested", None, None),
    "DeploymentService/CancelDeployment": ("deployment.cancelled", "STAGED", "CANCELLED"),
    "DeploymentService/DeletePayload": ("payload.deleted", "STORED", "DELETED"),
    "CatalogService/UpdateProjectEnvironment": ("environment.frozen", "OPEN", "FROZEN"),
    "CatalogService/UpdateEnvironment": (
        "environment.approval_changed",
        "second_person: no",
        "second_person: yes",
    ),
    "CatalogService/PinRelease": ("release.pinned", "UNPINNED", "PINNED"),
    "CatalogService/SyncWorkflows": ("workflows.synced", None, "1 workflows"),
    "CatalogService/DeleteWorkflows": ("workflows.deleted", "REGISTERED", "DELETED"),
    "ClusterService/CordonNode": ("node.cordoned", "OPEN", "CORDONED"),
    "ClusterService/DrainNode": ("node.drained", "CORDONED", "DRAINING"),
    "ClusterService/RemoveNode": ("node.removed", "OPEN", "REMOVED"),
    "ClusterService/VerifyProject": ("project.verified", "", ""),
}
READS: Final = {
    "DeploymentService/GetDeployment",
    "DeploymentService/ListDeployments",
    "DeploymentService/WatchDeployments",
    "DeploymentService/ListActivations",
    "DeploymentService/ListFindings",
    "DeploymentService/StreamProgress",
    "DeploymentService/FindMissingChunks",
    "DeploymentService/DownloadPayload",
    "DeploymentService/ListAuditEntries",
    "CatalogService/ListProjects",
    "CatalogService/GetProject",
    "CatalogService/GetEnvironment",
    "CatalogService/ListReleases",
    "CatalogService/GetRelease",
    "CatalogService/ListWorkflows",
    "CatalogService/GetWorkflow",
    "CatalogService/CountWorkflows",
    "CatalogService/ValidateWorkflows",
    "ClusterService/GetServerInfo",
    "ClusterService/ListNodes",
    "ClusterService/WatchNodes",
    "ClusterService/ListLocks",
    "ClusterService/GetVerification",
}


def test_each_rpc_changes_or_reads() -> None:
    """A new one has to be put into one of the tables above, and is then tried."""
    assert set(RULES) == CHANGES.keys() | READS
    assert not CHANGES.keys() & READS


class Told:
    """What each rpc was told to have changed, by its request id."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._asked: dict[str, str] = {}

    async def call(self, rpc: str, request: Any) -> Any:
        """Call an rpc with a request id of its own."""
        service, method = rpc.split("/")
        stub = {
            "DeploymentService": self._node.deployments,
            "CatalogService": self._node.catalog,
            "ClusterService": self._node.cluster,
        }[service]
        ident = self._asked.setdefault(rpc, f"asks-{method}")
        answer: Awaitable[Any] = getattr(stub, method)(request, metadata=((REQUEST_ID_KEY, ident),))
        return await answer

    async def check(self) -> None:
        async with self._node.catalogue.reading() as transaction:
            entries = await entries_between(transaction, BEGIN, since=None, until=None, limit=1000)
        assert self._asked.keys() | {"DeploymentService/Deploy"} == CHANGES.keys()
        for rpc, (action, before, after) in CHANGES.items():
            asked = self._asked.get(rpc)
            found = [e for e in entries if e.action == action and asked in (None, e.request_id)]
            assert found, f"{rpc} left no entry {action}"
            for entry in found:
                _check_entry(rpc, entry, before, after)


def _check_entry(rpc: str, entry: AuditEntry, before: str | None, after: str | None) -> None:
    told = (entry.from_status, entry.to_status)
    assert (before in (None, told[0]), after in (None, told[1])) == (True, True), (rpc, told)
    assert (entry.principal, entry.result) == ("anonymous", "DONE"), rpc
    assert entry.peer.startswith("127.0.0.1:"), rpc
    assert entry.request_id, rpc
    of_environment = rpc.startswith("ClusterService/") or rpc.endswith("/UpdateEnvironment")
    if not of_environment or rpc.endswith("VerifyProject"):
        assert entry.project == PLACE["project"], rpc
    if of_environment:
        assert entry.environment == PLACE["environment"], rpc
    if rpc.startswith("DeploymentService/") and not rpc.endswith("DeletePayload"):
        assert entry.deployment_id, rpc
    if entry.action == "deployment.accepted":
        kinds = {"Rollback": "ROLLBACK", "Undeploy": "UNDEPLOY"}
        assert entry.reason == kinds.get(rpc.partition("/")[2], entry.reason), rpc
        assert entry.reason, rpc


@embedded
async def test_every_change_leaves_an_entry(node: RunningNode) -> None:
    told = Told(node)
    await deploy_to_end(node, pack(version="1.0.0", workflows={"roll": workflow()}))
    await deploy_to_end(node, pack(version="2.0.0"))

    await told.call(
        "CatalogService/PinRelease",
        catalog.PinReleaseRequest(project="netops", version="2.0.0", reason="seen by others"),
    )
    await told.call(
        "ClusterService/VerifyProject", cluster.VerifyProjectRequest(verification_id=new_id(), **PLACE)
    )
    staged = await deploy(node, pack(version="3.0.0"), stage_only=True)
    await told.call(
        "DeploymentService/CancelDeployment", pb.CancelDeploymentRequest(deployment_id=staged.deployment_id)
    )
    staged = await deploy(node, pack(version="4.0.0"), stage_only=True)
    await told.call(
        "DeploymentService/PromoteDeployment",
        pb.PromoteDeploymentRequest(
            deployment_id=staged.deployment_id,
            gate_id=(await get(node, staged.deployment_id)).waiting_gate_id,
        ),
    )
    await ended(node, staged.deployment_id)
    canary = new_id()
    await told.call(
        "DeploymentService/DeployRelease",
        pb.DeployReleaseRequest(deployment_id=canary, version="2.0.0", strategy=CANARY, **PLACE),
    )
    await until(node, canary, lambda one: one.waiting_gate_id)
    await told.call(
        "DeploymentService/PauseDeployment", pb.PauseDeploymentRequest(deployment_id=canary, reason="lunch")
    )
    await told.call("DeploymentService/ResumeDeployment", pb.ResumeDeploymentRequest(deployment_id=canary))
    await node.deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=canary))
    await ended(node, canary)
    requests: dict[str, Any] = {
        "RetryDeployment": pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=canary),
        "Rollback": pb.RollbackRequest(deployment_id=new_id(), version="1.0.0", **PLACE),
        "Undeploy": pb.UndeployRequest(deployment_id=new_id(), **PLACE),
    }
    for rpc, request in requests.items():
        await told.call(f"DeploymentService/{rpc}", request)
        await ended(node, request.deployment_id)
    await told.call(
        "DeploymentService/DeletePayload",
        pb.DeletePayloadRequest(project="netops", version="3.0.0", force=True),
    )
    await told.call("CatalogService/DeleteWorkflows", catalog.DeleteWorkflowsRequest(project="netops"))
    await told.call(
        "CatalogService/SyncWorkflows", catalog.SyncWorkflowsRequest(project="netops", version="1.0.0")
    )
    await told.call(
        "CatalogService/UpdateProjectEnvironment",
        catalog.UpdateProjectEnvironmentRequest(
            project_environment=catalog.ProjectEnvironment(freeze_reason="weekend", **PLACE),
            update_mask=FieldMask(paths=["freeze_reason"]),
        ),
    )
    await told.call(
        "CatalogService/UpdateEnvironment",
        catalog.UpdateEnvironmentRequest(
            environment=catalog.Environment(environment="default", second_person=True),
            update_mask=FieldMask(paths=["second_person"]),
        ),
    )
    name = node.node.identity.name
    await told.call("ClusterService/CordonNode", cluster.CordonNodeRequest(node_name=name, reason="disk"))
    await told.call("ClusterService/DrainNode", cluster.DrainNodeRequest(node_name=name, reason="disk"))
    await gone(node.catalogue)
    await told.call("ClusterService/RemoveNode", cluster.RemoveNodeRequest(node_name="gone"))
    await told.check()
