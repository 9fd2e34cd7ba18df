"""Kill -9 at each step of a deploy or a rollback, and a start again: one state, and nothing lost."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from longshore.v1 import deployment_service_pb2 as pb
from tests.bundles.trees import File, Tree, make_tar

from .calls import (
    PROJECT,
    Stub,
    UploadCall,
    Uploading,
    assert_succeeded,
    connected,
    deployed,
    outcome,
    some_durable_bytes,
    upload,
)
from .faulty_node import large_tree
from .invariants import Stores, read_state, unreadable_payloads, violations
from .nodes import Nursery
from .trees import PAYLOAD_1, PAYLOAD_2, V1, V2, leftovers, live_tree

_MOST_STEPS = 100
_AT_ONCE = 4

Act = Callable[[Stub, int], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """What is done to a node while it is killed: ``act`` is called again, as attempt 2, after the start."""

    data_dir: Path
    stores: Stores
    deployment_id: str
    act: Act
    before: Tree
    after: Tree
    env: Mapping[str, str] = field(default_factory=dict)


def embedded(data_dir: Path) -> Stores:
    return Stores(f"sqlite:///{data_dir}/longshore.db", f"file://{data_dir}/blobs")


def deploying(
    data_dir: Path,
    stores: Stores,
    *,
    before: Tree = V1,
    after: Tree = V2,
    env: Mapping[str, str] | None = None,
) -> Case:
    uploading = Uploading(make_tar(after))

    async def act(stub: Stub, attempt: int) -> None:
        await upload(stub, uploading, attempt=attempt)

    return Case(data_dir, stores, uploading.deployment_id, act, before, after, env or {})


def rolling_back(data_dir: Path) -> Case:
    request = pb.RollbackRequest(deployment_id=str(uuid.uuid4()), project=PROJECT)

    async def act(stub: Stub, _attempt: int) -> None:
        await stub.Rollback(request)

    return Case(data_dir, embedded(data_dir), request.deployment_id, act, V2, V1)


async def goes_well_in_the_end(nursery: Nursery, case: Case, schedule: str) -> bool:
    """Whether the node was killed on the way; what was acknowledged is not asked for again."""
    acknowledged = ended = False
    async with nursery.serve(case.data_dir, crash=schedule, env=case.env) as node, connected(node) as stub:
        try:
            await case.act(stub, 1)
            acknowledged = True
            await outcome(stub, case.deployment_id)
            ended = True
        except grpc.aio.AioRpcError:
            assert (await node.ended(deadline_s=10)).status == -signal.SIGKILL
    killed = (await node.ended()).status == -signal.SIGKILL
    assert killed or ended
    state = await read_state(case.stores)
    assert violations(state) == []
    assert live_tree(case.data_dir) in (case.before, case.after)
    if killed:
        releases = len(state["release"])
        async with nursery.serve(case.data_dir, env=case.env) as node, connected(node) as stub:
            if not acknowledged:
                await case.act(stub, 2)
            assert_succeeded(await outcome(stub, case.deployment_id))
            assert live_tree(case.data_dir) == case.after
            # Ending it in order would tell nothing more here, and take longer.
            await node.kill()
        state = await read_state(case.stores)
        assert violations(state) == []
        assert releases <= len(state["release"]) <= releases + (not acknowledged)
    assert live_tree(case.data_dir) == case.after
    assert leftovers(case.data_dir) == []
    assert await unreadable_payloads(case.stores, state) == []
    return killed


async def steps_met(nursery: Nursery, template: Path, make: Callable[[Path], Case], schedule: str) -> int:
    """Kill at step 1, 2, 3 … on copies of ``template`` until it goes through; at how many it was killed."""

    async def killed_at(number: int) -> bool:
        data_dir = template.with_name(str(number))
        shutil.copytree(template, data_dir, symlinks=True)
        return await goes_well_in_the_end(nursery, make(data_dir), f"{schedule}-{number}")

    for first in range(1, _MOST_STEPS, _AT_ONCE):
        async with asyncio.TaskGroup() as group:
            cases = [group.create_task(killed_at(first + more)) for more in range(_AT_ONCE)]
        killed = [case.result() for case in cases]
        if not all(killed):
            return first - 1 + killed.index(False)
    raise AssertionError(f"{_MOST_STEPS} steps and no end")


@pytest.fixture
async def one_live(nursery: Nursery, place: Path) -> Path:
    """The data folder of a stopped node on which the first release is live."""
    async with nursery.serve(place / "template") as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))
    return place / "template"


@pytest.fixture
async def two_live(nursery: Nursery, one_live: Path) -> Path:
    """The same with the second release over the first."""
    async with nursery.serve(one_live) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_2))
    return one_live


# How many steps there are at least: fewer, and what is counted is no longer where it was.
@pytest.mark.parametrize(
    ("schedule", "least"),
    [("before-commit", 18), ("after-commit", 18), ("before-put", 4), ("after-put", 4), ("before-disk", 6)],
)
async def test_a_deploy(nursery: Nursery, one_live: Path, schedule: str, least: int) -> None:
    def make(data_dir: Path) -> Case:
        return deploying(data_dir, embedded(data_dir))

    assert await steps_met(nursery, one_live, make, schedule) >= least


async def test_what_was_stored_is_not_sent_again(nursery: Nursery, one_live: Path) -> None:
    after = large_tree(seed=3)
    uploading = Uploading(make_tar(after))
    size_bytes = len(uploading.payload)
    async with nursery.serve(one_live, small_packs=True) as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.send(await call.accepted(), size_bytes - 1)
        stored_bytes = await some_durable_bytes(stub, uploading.deployment_id)
        await node.kill()
    async with nursery.serve(one_live) as node, connected(node) as stub:
        uploaded = await upload(stub, uploading, attempt=2)
        assert stored_bytes <= uploaded.began_at < size_bytes
        assert_succeeded(await outcome(stub, uploading.deployment_id))
        assert live_tree(one_live) == after


# Six commits are the rollback's own; between them come the node's, more of them in one run than in another.
@pytest.mark.parametrize(("schedule", "least"), [("after-commit", 6), ("before-disk", 3)])
async def test_a_rollback(nursery: Nursery, two_live: Path, schedule: str, least: int) -> None:
    assert await steps_met(nursery, two_live, rolling_back, schedule) >= least


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_rollback_at_its_own_commits(nursery: Nursery, two_live: Path, moment: str) -> None:
    async def killed_at(commit: str) -> bool:
        data_dir = two_live.with_name(commit)
        shutil.copytree(two_live, data_dir, symlinks=True)
        return await goes_well_in_the_end(nursery, rolling_back(data_dir), f"{moment}-commit-{commit}")

    async with asyncio.TaskGroup() as group:
        commits = ("record", "take", "begin", "begin_switch", "live")
        cases = {commit: group.create_task(killed_at(commit)) for commit in commits}
    assert {commit for commit, case in cases.items() if not case.result()} == set()


async def test_a_deploy_over_real_services(
    nursery: Nursery, place: Path, stores: Stores, env: dict[str, str]
) -> None:
    data_dir = place / "node"
    async with nursery.serve(data_dir, env=env) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))
    before = V1
    schedules = [
        *("before-commit-1", "after-commit-4", "after-put-2", "before-put-3", "after-commit-12"),
        *("after-commit-14", "before-disk-2", "after-commit-18"),
    ]
    for number, schedule in enumerate(schedules):
        after = {**V2, "data/été": File(random.Random(number).randbytes(600_000))}
        case = deploying(data_dir, stores, before=before, after=after, env=env)
        assert await goes_well_in_the_end(nursery, case, schedule), f"no step is {schedule}"
        before = after
