"""What is right in one environment is not in another: for what is of a project in all of them, too."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import Client, Credentials, Way
from longshore_client.errors import PermissionDenied
from longshore_server.access import Permission
from longshore_storage.catalogue import projects
from tests.server.calls import deploy, ended, new_id, refused, status_name
from tests.server.contents import canonical_tar, small_tree
from tests.server.manifests import skill
from tests.server.running import RunningNode, StartNode, Stubs, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode
SHOP: dict[str, Any] = {"project": "shop", "version": "1.0.0"}
ALL = [one.value for one in Permission]


@pytest.fixture
async def guarded(
    start_node: StartNode, access: dict[str, Any], policy_file: Path
) -> AsyncIterator[RunningNode]:
    """A node in ``default``; nobody is in ``staging``."""
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        {"role": "admin", "principals": ["stager"], "environments": ["staging"]},
        {"role": "admin", "principals": ["both"], "environments": ["staging", "default"]},
        {"role": "careful", "principals": ["careful"]},
        careful=[one for one in ALL if one != Permission.VALIDATION_SKIP],
    )
    async with start_node(access=access) as node:
        async with node.catalogue.transaction() as transaction:
            await projects.ensure_environment(transaction, "staging")
        yield node


async def _download(caller: Stubs) -> None:
    await caller.deployments.DownloadPayload(pb.DownloadPayloadRequest(**SHOP)).read()


async def _release(caller: Stubs, environment: str, **values: Any) -> Any:
    asked = pb.DeployReleaseRequest(deployment_id=new_id(), environment=environment, **values)
    return (await caller.deployments.DeployRelease(asked)).deployment


@pytest.mark.parametrize("way", Way)
async def test_validating_takes_the_right_where_it_is_asked_for(
    guarded: RunningNode, issuer: Issuer, tmp_path: Path, way: Way
) -> None:
    """By every way: the one that asks for missing chunks names an upload that is no deployment."""
    payload = tmp_path / "shop.bin"
    payload.write_bytes(random.Random(8).randbytes(1 << 20))
    async with Client(guarded.address, credentials=Credentials(token=issuer.token("root"))) as root:
        validated = await root.validate(payload, project="shop", way=way)
    assert validated.valid
    async with Client(guarded.address, credentials=Credentials(token=issuer.token("stager"))) as stager:
        with pytest.raises(PermissionDenied):
            await stager.validate(payload, project="shop", way=way)


async def test_a_payload_is_read_where_it_was_deployed(guarded: RunningNode, issuer: Issuer) -> None:
    root, stager, both = (as_caller(guarded, issuer.token(name)) for name in ("root", "stager", "both"))
    await deploy(root, canonical_tar(small_tree()), environment="default", stage_only=True, **SHOP)
    with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
        await _download(stager)
    # Nor is he told where it is.
    assert "stager needs the permission payload.read for shop:" in told.message
    await _download(both)
    # That it is there he may know: a release is the same everywhere.
    listed = await stager.catalog.ListReleases(catalog.ListReleasesRequest(project="shop"))
    assert [one.version for one in listed.releases] == ["1.0.0"]
    await _release(root, "staging", stage_only=True, **SHOP)
    await _download(stager)


async def test_what_holds_everywhere_takes_the_permission_everywhere(
    guarded: RunningNode, issuer: Issuer
) -> None:
    root, stager, both = (as_caller(guarded, issuer.token(name)) for name in ("root", "stager", "both"))
    await deploy(root, canonical_tar(small_tree()), environment="staging", stage_only=True, **SHOP)

    async def change(caller: Stubs) -> list[str]:
        """All that changes a release or a project everywhere; what may not be."""
        denied = []
        calls: list[tuple[Any, Any]] = [
            (caller.catalog.PinRelease, catalog.PinReleaseRequest(**SHOP, reason="")),
            (caller.catalog.SyncWorkflows, catalog.SyncWorkflowsRequest(project="shop")),
            (caller.catalog.DeleteWorkflows, catalog.DeleteWorkflowsRequest(project="shop")),
            (caller.deployments.DeletePayload, pb.DeletePayloadRequest(**SHOP, force=True)),
        ]
        for call, asked in calls:
            try:
                await call(asked)
            except grpc.aio.AioRpcError as error:
                denied.append((type(asked).__name__, error.code()))
        return [name for name, code in denied if code is S.PERMISSION_DENIED]

    assert await change(stager) == []
    await deploy(root, canonical_tar(small_tree("two")), project="shop", version="2.0.0", stage_only=True)
    # The other release is in staging only; the project is not.
    assert await change(stager) == ["SyncWorkflowsRequest", "DeleteWorkflowsRequest"]
    second = {"project": "shop", "version": "2.0.0"}
    with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED"):
        await stager.deployments.DeletePayload(pb.DeletePayloadRequest(**second, force=True))
    await _release(root, "staging", stage_only=True, **second)
    with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED"):
        await stager.deployments.DeletePayload(pb.DeletePayloadRequest(**second, force=True))
    assert await change(both) == []


async def test_errors_that_were_let_through_are_so_in_one_environment(
    guarded: RunningNode, issuer: Issuer
) -> None:
    root, careful = (as_caller(guarded, issuer.token(name)) for name in ("root", "careful"))
    released: dict[str, Any] = {"project": "log-rotate", "version": "1.0.0"}
    await deploy(
        root,
        skill(runs=False),
        environment="staging",
        stage_only=True,
        skip_validation=True,
        project="log-rotate",
    )

    async def denied(call: Any, asked: Any) -> None:
        with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
            await call(asked)
        assert told.metadata["permission"] == Permission.VALIDATION_SKIP
        assert "log-rotate 1.0.0 has errors that were let through" in told.message

    back = pb.RollbackRequest(deployment_id=new_id(), **released)
    again = pb.DeployReleaseRequest(deployment_id=new_id(), **released)
    await denied(careful.deployments.DeployRelease, again)
    await denied(careful.deployments.Rollback, back)
    cancelled = (await _release(root, "default", stage_only=True, **released)).deployment_id
    await root.deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=cancelled))
    retry = pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=cancelled)
    await denied(careful.deployments.RetryDeployment, retry)
    target = pb.RollbackRequest(deployment_id=new_id(), project="log-rotate", target_deployment_id=cancelled)
    await denied(careful.deployments.Rollback, target)
    # Where somebody who may has brought it live, others may bring it back.
    live = await _release(root, "default", **released)
    assert status_name((await ended(root, live.deployment_id)).status) == "SUCCEEDED"
    await careful.deployments.DeployRelease(again)
    await careful.deployments.RetryDeployment(retry)


async def test_of_another_project_nothing_is_told(guarded: RunningNode, issuer: Issuer) -> None:
    root, careful = (as_caller(guarded, issuer.token(name)) for name in ("root", "careful"))
    other = await deploy(root, skill(runs=False), stage_only=True, skip_validation=True, project="log-rotate")
    await deploy(root, canonical_tar(small_tree()), stage_only=True, **SHOP)
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await careful.deployments.Rollback(
            pb.RollbackRequest(
                deployment_id=new_id(), project="shop", target_deployment_id=other.deployment_id
            )
        )
