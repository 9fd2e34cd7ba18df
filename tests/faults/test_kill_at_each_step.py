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
    Uploading,
    assert_succeeded,
    connected,
    deployed,
    outcome,
    upload,
)
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
    resumed_at: list[int] | None = None,
) -> Case:
    uploading = Uploading(make_tar(after))

    async def act(stub: Stub, attempt: int) -> None:
        uploaded = await upload(stub, uploading, attempt=attempt)
        if attempt > 1 and resumed_at is not None:
            resumed_at.append(uploaded.began_at)

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


async def steps_met(
    nursery: Nursery, template: Path, make: Callable[[Path], Case], schedule: str, *, run: str = ""
) -> int:
    """Kill at step 1, 2, 3 … on copies of ``template`` until it goes through; at how many it was killed."""

    async def killed_at(number: int) -> bool:
        data_dir = template.with_name(f"{run}{number}")
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
    resumed_at: list[int] = []

    def make(data_dir: Path) -> Case:
        return deploying(data_dir, embedded(data_dir), resumed_at=resumed_at)

    assert await steps_met(nursery, one_live, make, schedule) >= least
    if schedule == "after-commit":
        assert any(0 < offset < len(PAYLOAD_2) for offset in resumed_at), "nothing that was stored was used"


@pytest.mark.parametrize(("schedule", "least"), [("after-commit", 8), ("before-disk", 3)])
async def test_a_rollback(nursery: Nursery, two_live: Path, schedule: str, least: int) -> None:
    met = await steps_met(nursery, two_live, rolling_back, schedule)
    if met < least:
        # What a busy machine lets fall together in one run is apart in another.
        met = await steps_met(nursery, two_live, rolling_back, schedule, run="again-")
    assert met >= least


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
