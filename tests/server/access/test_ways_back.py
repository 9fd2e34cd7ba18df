"""Rolling back, taking off and trying again: each takes what it does, by whichever call it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc

from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import deploy, deploy_to_end, ended, new_id, refused, status_name
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import StartNode, Stubs, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode
PLACE: dict[str, Any] = {"project": "netops", "environment": "default"}
ROOT = {"role": "admin", "principals": ["root"]}


async def _cancelled(caller: Stubs, deployment_id: str) -> str:
    await caller.deployments.CancelDeployment(
        pb.CancelDeploymentRequest(deployment_id=deployment_id, reason="rejected by review")
    )
    return deployment_id


async def test_a_retry_takes_what_its_own_call_took(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    retrying = ["deployment.read", "deployment.create"]
    write_policy(
        policy_file,
        ROOT,
        {"role": "creator", "principals": ["creator"]},
        {"role": "remover", "principals": ["remover"]},
        creator=retrying,
        remover=[*retrying, "deployment.undeploy"],
    )
    # Nobody drives rollouts here: what is queued can be cancelled.
    async with start_node(access=access, node={"roles": ["receive"]}) as node:
        root, creator, remover = (
            as_caller(node, issuer.token(name)) for name in ("root", "creator", "remover")
        )
        made = await deploy(root, canonical_tar(small_tree()))
        undeploy = pb.UndeployRequest(deployment_id=new_id(), **PLACE)
        await root.deployments.Undeploy(undeploy)
        await _cancelled(root, undeploy.deployment_id)
        rollback = pb.RollbackRequest(deployment_id=new_id(), version=made.version, **PLACE)
        await root.deployments.Rollback(rollback)
        await _cancelled(root, rollback.deployment_id)

        async def retry(caller: Stubs, ident: str) -> None:
            await caller.deployments.RetryDeployment(
                pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=ident)
            )

        for request, permission in ((undeploy, "deployment.undeploy"), (rollback, "deployment.rollback")):
            with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
                await retry(creator, request.deployment_id)
            assert told.metadata["permission"] == permission
        with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED"):
            await retry(remover, rollback.deployment_id)
        await retry(remover, undeploy.deployment_id)
        # The rollback superseded it.
        await retry(creator, made.deployment_id)


async def test_there_is_no_rollback_to_what_was_never_live(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(
        policy_file,
        ROOT,
        {"role": "night-shift", "principals": ["ned"]},
        {"role": "night-shift", "principals": ["dora"]},
        {"role": "deployer", "principals": ["dora"]},
        **{"night-shift": ["deployment.read", "deployment.rollback", "deployment.cancel"]},
    )
    async with start_node(access=access) as node:
        root, ned, dora = (as_caller(node, issuer.token(name)) for name in ("root", "ned", "dora"))
        first = await deploy_to_end(root, canonical_tar(small_tree()))
        await deploy_to_end(root, canonical_tar(small_tree("two")))
        staged = await deploy(root, canonical_tar(small_tree("rejected")), stage_only=True)
        await _cancelled(root, staged.deployment_id)
        never: Sequence[dict[str, Any]] = (
            {"version": staged.version},
            {"target_deployment_id": staged.deployment_id},
        )

        async def roll_back(caller: Stubs, target: dict[str, Any]) -> str:
            asked = pb.RollbackRequest(deployment_id=new_id(), **PLACE, **target)
            made = (await caller.deployments.Rollback(asked)).deployment
            return status_name((await ended(caller, made.deployment_id)).status)

        for target in never:
            with refused(S.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
                await roll_back(ned, target)
            assert told.metadata["permission"] == "deployment.create"
            assert f"netops {staged.version} was never live there" in told.message
        assert await roll_back(ned, {}) == "SUCCEEDED"
        assert await roll_back(dora, never[0]) == "SUCCEEDED"
        # By now it was live.
        assert await roll_back(ned, {"version": first.version}) == "SUCCEEDED"
        assert await roll_back(ned, never[0]) == "SUCCEEDED"
