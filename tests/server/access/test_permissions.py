"""Each permission against each rpc, made from the table: what is allowed, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.access import Permission
from longshore_server.rpc.access_rules import RULES, SKIPPING
from tests.server.calls import deploy, new_id, refusal_in, refused
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import StartNode, embedded

from .as_caller import as_caller
from .guarded import ENVIRONMENT, METHODS, PROJECT, Guarded, guarded_by, is_denied
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
OF_ALL_PROJECTS = {Permission.CLUSTER_ADMIN, Permission.PROJECT_CONFIGURE}


@pytest.fixture
async def guarded_stage(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> AsyncIterator[Guarded]:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        *(
            {
                "role": f"only {one}",
                "principals": [one.value],
                # A node has something of all projects, and an environment's settings are those of all.
                "projects": ["*" if one in OF_ALL_PROJECTS else "sh*"],
                "environments": [ENVIRONMENT],
            }
            for one in Permission
        ),
        *(
            {"role": f"only {one}", "principals": [f"elsewhere {one.value}"], "projects": ["other*"]}
            for one in Permission
        ),
        {
            "role": "all but skipping",
            "principals": ["careful"],
        },
        **{f"only {one}": [one.value] for one in Permission},
        **{"all but skipping": [one.value for one in Permission if one not in SKIPPING.values()]},
    )
    async with start_node(access=access) as node:
        yield await guarded_by(node, issuer)


async def test_each_permission_against_each_rpc(guarded_stage: Guarded) -> None:
    wrong = []
    for rpc, (service, method) in METHODS.items():
        needed = RULES[rpc].permission
        if method.name == "ListLocks":
            # Of all places at once: a permission for some is none.
            for who, denied in (("root", False), (Permission.CLUSTER_READ, True)):
                error = await guarded_stage.call(service, method, guarded_stage.request(method), who)
                assert is_denied(error) is denied
            continue
        # Who may not comes first: whoever may can change what there is.
        for permission in sorted(Permission, key=lambda one: one is needed):
            error = await guarded_stage.call(service, method, guarded_stage.request(method), permission)
            if is_denied(error) != (needed not in (None, permission)):
                wrong.append(f"{rpc} by {permission}: {error and (error.code(), error.details())}")
    assert not wrong


async def test_not_in_another_project(guarded_stage: Guarded) -> None:
    wrong = []
    filtered = {"ListDeployments", "WatchDeployments", "ListAuditEntries", "ListProjects", "StreamProgress"}
    clusterwide = {"ListNodes", "WatchNodes", "GetEnvironment"}
    for rpc, (service, method) in METHODS.items():
        needed = RULES[rpc].permission
        if needed is None or method.name in filtered | clusterwide:
            continue
        error = await guarded_stage.call(
            service, method, guarded_stage.request(method), f"elsewhere {needed}"
        )
        if not is_denied(error):
            wrong.append(f"{rpc}: {error and (error.code(), error.details())}")
    assert not wrong


@pytest.mark.parametrize("flag", SKIPPING)
async def test_skipping_takes_a_permission_on_top(guarded_stage: Guarded, flag: str) -> None:
    asked = 0
    for service, method in METHODS.values():
        where = pb.DeployHeader.DESCRIPTOR if method.name == "Deploy" else method.input_type
        if flag not in where.fields_by_name:
            continue
        asked += 1
        request = guarded_stage.request(method, **{flag: True})
        error = await guarded_stage.call(service, method, request, "careful")
        assert error is not None
        told = refusal_in(error, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        assert told.metadata["permission"] == SKIPPING[flag]
    assert asked


async def test_trying_again_skips_no_more_than_its_caller_may(guarded_stage: Guarded) -> None:
    node, issuer = guarded_stage.node, guarded_stage.issuer
    root, careful = (as_caller(node, issuer.token(name)) for name in ("root", "careful"))
    staged = await deploy(
        root, canonical_tar(small_tree("two")), project=PROJECT, stage_only=True, skip_tests=True
    )
    await root.deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=staged.deployment_id))
    asked = pb.RetryDeploymentRequest(deployment_id=new_id(), retry_of=staged.deployment_id)
    with refused(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
        await careful.deployments.RetryDeployment(asked)
    assert told.metadata["permission"] == Permission.TESTS_SKIP
    assert (await root.deployments.RetryDeployment(asked)).deployment.tests_skipped


async def test_whether_a_node_is_there_is_not_told_to_everybody(guarded_stage: Guarded) -> None:
    stranger = as_caller(guarded_stage.node, guarded_stage.issuer.token("stranger"))
    answers = set()
    for name in (guarded_stage.node.node.identity.name, "none"):
        calls: list[tuple[Any, Message]] = [
            (stranger.cluster.CordonNode, cluster.CordonNodeRequest(node_name=name)),
            (stranger.cluster.DrainNode, cluster.DrainNodeRequest(node_name=name)),
            (stranger.cluster.RemoveNode, cluster.RemoveNodeRequest(node_name=name)),
        ]
        for call, asked in calls:
            with refused(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED") as told:
                await call(asked)
            answers.add(told.message)
    assert len(answers) == 1
