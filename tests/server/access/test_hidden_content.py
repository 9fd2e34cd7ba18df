"""What a caller may not read is not there: not in what his own calls tell him of it, either."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2
from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import deploy, deploy_to_end, new_id, refused
from tests.server.contents import random_bytes
from tests.server.manifests import pack
from tests.server.running import RunningNode, StartNode, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode


@pytest.fixture
async def guarded(
    start_node: StartNode, access: dict[str, Any], policy_file: Path
) -> AsyncIterator[RunningNode]:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        {"role": "admin", "principals": ["bob"], "projects": ["mine*"]},
        {"role": "pusher", "principals": ["pusher"], "projects": ["bank"]},
        pusher=["deployment.create", "deployment.read"],
    )
    async with start_node(access=access) as node:
        yield node


async def test_an_upload_does_not_tell_whether_others_have_its_content(
    guarded: RunningNode, issuer: Issuer
) -> None:
    known, fresh = (
        b"".join(hashlib.sha256(f"{salt} {n}".encode()).digest() for n in range(10_000)) for salt in "ab"
    )
    root, bob = (as_caller(guarded, issuer.token(name)) for name in ("root", "bob"))
    asked: Any = {"payload_format": deployment_pb2.PAYLOAD_FORMAT_FILE, "file_name": "a.bin"}
    await deploy(root, known, project="bank", **asked)
    told = [
        (await deploy(bob, content, project=project, **asked)).transfer
        for project, content in (("mine", known), ("mine-too", fresh))
    ]
    assert told[0] == told[1]


async def test_a_deletion_does_not_tell_whether_others_have_its_content(
    guarded: RunningNode, issuer: Issuer
) -> None:
    contents = [random_bytes(200_000, seed=seed) for seed in (1, 2)]
    root, bob = (as_caller(guarded, issuer.token(name)) for name in ("root", "bob"))
    asked: Any = {
        "payload_format": deployment_pb2.PAYLOAD_FORMAT_FILE,
        "file_name": "a.bin",
        "stage_only": True,
    }
    await deploy(root, contents[0], project="bank", **asked)
    told = []
    for content in contents:
        staged = await deploy(bob, content, project="mine", **asked)
        await bob.deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=staged.deployment_id))
        deleted = await bob.deployments.DeletePayload(
            pb.DeletePayloadRequest(project="mine", version=staged.version, force=True)
        )
        told.append((deleted.freed_size_bytes > 0, deleted.shared_size_bytes))
    assert told == [(True, 0)] * 2
    trail = await bob.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="mine"))
    assert len({one.message for one in trail.entries if one.action == "payload.deleted"}) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_an_upload_does_not_tell_what_is_in_payloads_that_one_may_not_read(
    guarded: RunningNode, issuer: Issuer, times: int
) -> None:
    known, fresh = (random_bytes(200_000, seed=seed) * times for seed in (3, 4))
    root, pusher = (as_caller(guarded, issuer.token(name)) for name in ("root", "pusher"))
    asked: Any = {"payload_format": deployment_pb2.PAYLOAD_FORMAT_FILE, "stage_only": True}
    await deploy(root, known, project="bank", file_name="a.bin", **asked)
    told = [
        (await deploy(pusher, content, project="bank", file_name=f"{name}.bin", **asked)).transfer
        for name, content in (("b", known), ("c", fresh))
    ]
    assert told[0] == told[1]


async def test_an_id_of_another_project_is_no_more_than_taken(guarded: RunningNode, issuer: Issuer) -> None:
    root, bob = (as_caller(guarded, issuer.token(name)) for name in ("root", "bob"))
    taken = await deploy(root, pack("bank"), project="bank")
    await deploy_to_end(bob, pack("mine"), project="mine")
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED") as told:
        await bob.deployments.Undeploy(pb.UndeployRequest(deployment_id=taken.deployment_id, project="mine"))
    assert "bank" not in told.message


PUSHED: Any = {"payload_format": deployment_pb2.PAYLOAD_FORMAT_FILE, "file_name": "a.bin"}


@pytest.fixture
def only_deploys(policy_file: Path) -> None:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        {"role": "pusher", "principals": ["pusher"], "projects": ["bank"]},
        pusher=["deployment.create"],
    )


@pytest.mark.usefixtures("only_deploys")
async def test_refusals_do_not_tell_whoever_may_only_deploy_what_is_live(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer
) -> None:
    async with start_node(access=access) as node:
        root, pusher = (as_caller(node, issuer.token(name)) for name in ("root", "pusher"))
        live = await deploy_to_end(root, b"one", project="bank", version="1.0.0", **PUSHED)
        for caller, tells in ((root, True), (pusher, False)):
            with refused(S.ALREADY_EXISTS, "VERSION_EXISTS") as told:
                await deploy(caller, b"two", project="bank", version="1.0.0", **PUSHED)
            assert (live.content_sha256 in told.message) is tells
            with refused(S.FAILED_PRECONDITION, "LIVE_CHANGED") as told:
                await deploy(caller, b"two", project="bank", expected_live_deployment_id=new_id(), **PUSHED)
            assert (live.deployment_id in told.message) is tells
            assert told.metadata.get("live_deployment_id") == (live.deployment_id if tells else None)


@pytest.mark.usefixtures("only_deploys")
async def test_refusals_do_not_tell_whoever_may_only_deploy_what_is_on_its_way(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer
) -> None:
    # Nobody drives rollouts here: what is queued never ends.
    async with start_node(access=access, node={"roles": ["receive"]}) as node:
        root, pusher = (as_caller(node, issuer.token(name)) for name in ("root", "pusher"))
        queued = await deploy(root, b"one", project="bank", **PUSHED)
        for caller, tells in ((root, True), (pusher, False)):
            with refused(S.FAILED_PRECONDITION, "QUEUE_BUSY") as told:
                await deploy(caller, b"two", project="bank", queue_policy=pb.QUEUE_POLICY_FAIL, **PUSHED)
            assert (queued.deployment_id in told.message) is tells
