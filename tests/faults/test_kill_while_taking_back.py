"""Kill -9 at each step of a switch whose restart fails: in the end the old release is live, and runs."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import uuid
from pathlib import Path

import grpc
import pytest

from longshore.v1 import deployment_pb2
from longshore.v1 import deployment_service_pb2 as pb

from .calls import PROJECT, Uploading, connected, deployed, outcome
from .invariants import Stores, read_state, violations
from .nodes import Nursery
from .trees import PAYLOAD_1, PAYLOAD_2, V2, leftovers, live_tree

_MOST_STEPS = 60
_AT_ONCE = 4


class Case:
    """One data folder, on which 1.0.1 is live over 1.0.0, which nobody can start any more."""

    def __init__(self, template: Path, number: int) -> None:
        self.data_dir = template.with_name(str(number))
        shutil.copytree(template, self.data_dir, symlinks=True)
        self._journal = template.with_name(f"{number}.journal")
        then = 'echo $LONGSHORE_VERSION >> "$JOURNAL"; [ $LONGSHORE_VERSION != 1.0.0 ]'
        restart = {
            "restart": "immediate",
            "command": ["sh", "-c", then],
            "environment": {"JOURNAL": str(self._journal)},
        }
        self.env = {"LONGSHORE_NODE__RESTARTS": json.dumps([restart]), "LONGSHORE_POLL_S": "0.5"}
        self.rollback = pb.RollbackRequest(deployment_id=str(uuid.uuid4()), project=PROJECT)

    @property
    def started(self) -> list[str]:
        """Which releases were started, in order."""
        return self._journal.read_text().split() if self._journal.exists() else []


async def ends_as_it_was(nursery: Nursery, case: Case, schedule: str) -> bool:
    """Whether the node was killed on the way to the end, which is the same whether it was or not."""
    acknowledged = False
    async with nursery.serve(case.data_dir, crash=schedule, env=case.env) as node, connected(node) as stub:
        try:
            await stub.Rollback(case.rollback)
            acknowledged = True
            await outcome(stub, case.rollback.deployment_id)
        except grpc.aio.AioRpcError:
            assert (await node.ended(deadline_s=10)).status == -signal.SIGKILL
    killed = (await node.ended()).status == -signal.SIGKILL
    async with nursery.serve(case.data_dir, env=case.env) as node, connected(node) as stub:
        if not acknowledged:
            await stub.Rollback(case.rollback)
        done = await outcome(stub, case.rollback.deployment_id)
        await node.kill()
    assert done.status == deployment_pb2.DEPLOYMENT_STATUS_FAILED
    assert "hook 'restart' (restart) ended with exit code 1; 1.0.1 is live again" in done.error.message
    assert live_tree(case.data_dir) == V2
    assert case.started[0] == "1.0.0"
    assert case.started[-1] == "1.0.1"
    assert leftovers(case.data_dir) == []
    state = await read_state(
        Stores(f"sqlite:///{case.data_dir}/longshore.db", f"file://{case.data_dir}/blobs")
    )
    assert violations(state) == []
    return killed


# Of the commits every other one: most of them come in pairs of which the second only tells an event.
@pytest.mark.parametrize(("schedule", "stride", "least"), [("before-disk", 1, 8), ("after-commit", 2, 8)])
async def test_a_switch_that_fails(
    nursery: Nursery, place: Path, schedule: str, stride: int, least: int
) -> None:
    template = place / "template"
    async with nursery.serve(template) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))
        await deployed(stub, Uploading(PAYLOAD_2))
    steps = 0
    for first in range(1, _MOST_STEPS, _AT_ONCE * stride):
        async with asyncio.TaskGroup() as group:
            ends = [
                group.create_task(ends_as_it_was(nursery, Case(template, number), f"{schedule}-{number}"))
                for number in range(first, first + _AT_ONCE * stride, stride)
            ]
        killed = [end.result() for end in ends]
        steps += sum(killed)
        if not all(killed):
            break
    # Fewer, and what is counted is no longer where it was.
    assert least <= steps < _MOST_STEPS // stride
