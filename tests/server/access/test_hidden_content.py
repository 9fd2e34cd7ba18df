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
from tests.server.calls import deploy, deploy_to_end, refused
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
        {"role": "operator", "principals": ["bob"], "projects": ["mine*"]},
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


async def test_an_id_of_another_project_is_no_more_than_taken(guarded: RunningNode, issuer: Issuer) -> None:
    root, bob = (as_caller(guarded, issuer.token(name)) for name in ("root", "bob"))
    taken = await deploy(root, pack("bank"), project="bank")
    await deploy_to_end(bob, pack("mine"), project="mine")
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED") as told:
        await bob.deployments.Undeploy(pb.UndeployRequest(deployment_id=taken.deployment_id, project="mine"))
    assert "bank" not in told.message
