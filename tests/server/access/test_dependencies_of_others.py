"""What projects of others need, and are needed for: it binds those who may see each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_service_pb2 as pb
from tests.server.calls import deploy, deploy_to_end, ended, new_id, refused, status_name
from tests.server.manifests import pack
from tests.server.running import RunningNode, StartNode, Stubs, embedded
from tests.server.test_validating import validate

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
        {"role": "deployer", "principals": ["banker"], "projects": ["bank"]},
        {"role": "operator", "principals": ["mallory", "partner"], "projects": ["mine*"]},
        {"role": "viewer", "principals": ["partner"], "projects": ["bank"]},
        {"role": "viewer", "principals": ["auditor"]},
        {"role": "deployer", "principals": ["auditor"], "projects": ["bank"]},
    )
    async with start_node(access=access) as node:
        yield node


def callers(node: RunningNode, issuer: Issuer, *names: str) -> list[Stubs]:
    return [as_caller(node, issuer.token(name)) for name in names]


async def test_what_may_not_be_read_is_not_there_to_be_needed(guarded: RunningNode, issuer: Issuer) -> None:
    root, mallory, partner = callers(guarded, issuer, "root", "mallory", "partner")
    await deploy_to_end(root, pack("bank", "1.2.3"), project="bank")
    answers = set()
    # Neither which version is there, nor whether any is: also where one would do.
    for needed, constraint in (("bank", "^2"), ("bank", "=1.2.3"), ("none", "^2")):
        needy = pack("mine", needs={needed: constraint})
        with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
            await deploy(mallory, needy, project="mine")
        answers.add(told.message.replace(needed, "it"))
        validated = await validate(mallory, needy, project="mine")
        assert [one.code for one in validated.findings] == ["DEPENDENCY_MISSING"]
    assert len(answers) == 1
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
        await deploy(partner, pack("mine", needs={"bank": "^2"}), project="mine")
    assert "1.2.3" in told.message
    await deploy_to_end(partner, pack("mine", needs={"bank": "=1.2.3"}), project="mine")


async def test_strangers_hold_nobody_up(guarded: RunningNode, issuer: Issuer) -> None:
    """Not by needing one exact version of another's project, also where they skip looking for it."""
    banker, auditor, mallory, partner = callers(guarded, issuer, "banker", "auditor", "mallory", "partner")
    for version in ("1.0.0", "1.1.0"):
        await deploy_to_end(banker, pack("bank", version), project="bank")
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
        await deploy(mallory, pack("mine", needs={"bank": "=1.1.0"}), project="mine", skip_dependencies=True)
    assert "Required pack 'bank' is not for you to see; have it made live by somebody who may" in told.message
    await deploy_to_end(partner, pack("mine", needs={"bank": "=1.1.0"}), project="mine")
    # Who may see each other can talk to each other.
    with refused(S.FAILED_PRECONDITION, "DEPENDANT_LIVE") as told:
        await deploy(auditor, pack("bank", "1.1.1"), project="bank")
    assert "mine 1.0.0 needs bank =1.1.0" in told.message
    # Who cannot see him has nobody to talk to.
    await deploy_to_end(banker, pack("bank", "1.1.1"), project="bank")
    asked = pb.RollbackRequest(deployment_id=new_id(), project="bank")
    assert await _end_of(banker, asked) == "SUCCEEDED"


async def test_what_was_live_comes_back_by_anybody(guarded: RunningNode, issuer: Issuer) -> None:
    banker, mallory, partner = callers(guarded, issuer, "banker", "mallory", "partner")
    await deploy_to_end(banker, pack("bank", "1.2.3"), project="bank")
    await deploy_to_end(partner, pack("mine", needs={"bank": "=1.2.3"}), project="mine")
    await deploy_to_end(mallory, pack("mine", "1.1.0"), project="mine")
    asked = pb.RollbackRequest(deployment_id=new_id(), project="mine")
    assert await _end_of(mallory, asked) == "SUCCEEDED"
    await deploy_to_end(mallory, pack("mine", "1.2.0"), project="mine")
    await deploy_to_end(banker, pack("bank", "1.3.0"), project="bank")
    # What is not there is looked at, and is told without a version.
    with refused(S.FAILED_PRECONDITION, "DEPENDENCY_UNSATISFIED") as told:
        await mallory.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="mine"))
    assert "'bank' is not installed in a version that satisfies '=1.2.3', or not for you" in told.message
    skipping = pb.RollbackRequest(deployment_id=new_id(), project="mine", skip_dependencies=True)
    assert await _end_of(mallory, skipping) == "SUCCEEDED"


async def _end_of(caller: Stubs, asked: pb.RollbackRequest) -> str:
    made = (await caller.deployments.Rollback(asked)).deployment
    return status_name((await ended(caller, made.deployment_id)).status)
