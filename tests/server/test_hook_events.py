"""What hooks put out, as events of their deployment: all of it that matters, once, in its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import progress_pb2
from longshore_server.rollout.hook_events import tell_hook_output, untold_hook_output
from longshore_storage.catalogue import Catalogue, activations, hook_outputs
from longshore_storage.catalogue.hook_outputs import HookKind
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.lifecycle import ActivationStatus

from .calls import deploy, events_of, follow
from .hooked import Journal, list_runs, payload
from .rollouts import Place, open_place
from .running import StartNode


@pytest.fixture
async def place(catalogue: Catalogue) -> AsyncIterator[Place]:
    async with open_place(catalogue, versions=["1.0.0"]) as place:
        yield place


class Rolling:
    """A rollout that its owner has begun, on nodes that write what their hooks do."""

    def __init__(self, place: Place, deployment_id: str) -> None:
        self.place = place
        self.id = deployment_id

    async def write(self, node: str, number: int = 1, **values: Any) -> None:
        columns = {"lines": [], "line_count": 0, "ended": False, "exit_code": None, "outcome": "", **values}
        hook = {"hook": f"hook{number}", "kind": HookKind.AFTER_SWITCH, "taking_back": False}
        begun = {"deployment_id": self.id, "node_name": node, **hook}
        key = activations.place_of(await self.place.assignment(node))
        async with self.place.catalogue.transaction() as transaction:
            await hook_outputs.write(transaction, key, number, begun=begun, **columns)

    async def tell(self, *, epoch: int = 1) -> list[list[dict[str, Any]]]:
        """Tell, as the rollout's owner; the outputs of each new event."""
        before = len(await self.place.events(self.id))
        active = await self.place.get(self.id)
        async with self.place.catalogue.transaction() as transaction:
            runs = await untold_hook_output(transaction, active)
            await tell_hook_output(transaction, active, runs, owner_epoch=epoch)
        events = (await self.place.events(self.id))[before:]
        assert all(event.kind == "hook_output" for event in events)
        return [event.body["outputs"] for event in events]


@pytest.fixture
async def rolling(place: Place) -> Rolling:
    for name in ("a", "b"):
        await place.node(name)
    deployment_id = await place.queue("1.0.0")
    await place.step().take()
    return Rolling(place, deployment_id)


def shown(outputs: list[dict[str, Any]]) -> list[tuple[str, str, list[str], int, str]]:
    return [
        (one["node_name"], one["hook"], one["lines"], one["skipped_lines"], one["outcome"]) for one in outputs
    ]


async def test_every_line_once(rolling: Rolling) -> None:
    assert await rolling.tell() == []
    await rolling.write("a")
    assert [shown(event) for event in await rolling.tell()] == [[("a", "hook1", [], 0, "")]]
    assert await rolling.tell() == []
    await rolling.write("a", lines=["1", "2"], line_count=2)
    assert [shown(event) for event in await rolling.tell()] == [[("a", "hook1", ["1", "2"], 0, "")]]
    await rolling.write("a", lines=["1", "2", "3"], line_count=3, ended=True, exit_code=0, outcome="ended")
    ((end,),) = await rolling.tell()
    assert shown([end]) == [("a", "hook1", ["3"], 0, "ended")]
    assert (end["ended"], end["exit_code"], end["kind"]) == (True, 0, "AFTER_SWITCH")
    assert await rolling.tell() == []


async def test_what_went_by_unseen_is_counted(rolling: Rolling) -> None:
    await rolling.write("a", lines=["1"], line_count=1)
    await rolling.tell()
    await rolling.write("a", lines=["9", "10"], line_count=10)
    assert [shown(event) for event in await rolling.tell()] == [[("a", "hook1", ["9", "10"], 7, "")]]


async def test_nodes_share_an_event(rolling: Rolling) -> None:
    for node in ("b", "a"):
        for number in (2, 1):
            await rolling.write(node, number)
    (event,) = await rolling.tell()
    assert [line[:2] for line in shown(event)] == [
        *(("a", "hook1"), ("a", "hook2"), ("b", "hook1"), ("b", "hook2")),
    ]


async def test_no_event_grows_without_bounds(rolling: Rolling) -> None:
    lines = ["x" * 1000] * 100
    for number in range(1, 8):
        await rolling.write("a", number, lines=lines, line_count=100)
    assert [len(event) for event in await rolling.tell()] == [3, 3, 1]
    for number in range(8, 158):
        await rolling.write("a", number)
    assert [len(event) for event in await rolling.tell()] == [100, 50]


async def test_a_former_owner_tells_nothing(rolling: Rolling) -> None:
    await rolling.write("a", lines=["1"], line_count=1)
    with pytest.raises(StatusMoved):
        await rolling.tell(epoch=0)
    assert len(await rolling.tell()) == 1


async def test_old_rows_go_and_broken_off_runs_end(rolling: Rolling) -> None:
    place = rolling.place
    await rolling.write("a", 3)
    key = activations.place_of(await place.assignment("a"))
    async with place.catalogue.transaction() as transaction:
        assert await hook_outputs.next_number(transaction, key, broken_off="lost") == 4
        (run,) = await list_runs(transaction, key)
        assert (run.ended, run.outcome) == (True, "lost")
    for last in (9, 10):
        later = key._replace(generation=key.generation + last)
        async with place.catalogue.transaction() as transaction:
            assert await hook_outputs.next_number(transaction, later, broken_off="lost") == 1
            assert len(await list_runs(transaction, key)) == (1 if last == 9 else 0)
    assert await place.report("a", ActivationStatus.LIVE)


@pytest.mark.parametrize("stores", ["embedded", "services"], indirect=True)
async def test_a_follower_sees_it_live(start_node: StartNode, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.hold.touch()
    hooks = [
        journal.hook("migrate", "before_switch", f"seq 3; {journal.waits}; echo done"),
        journal.hook("reload", "after_switch", "echo broken; [ -z $LONGSHORE_VERSION ]"),
    ]
    outputs: list[progress_pb2.NodeHookOutput] = []
    async with start_node("one", node={"hooks": hooks}) as node:
        deployment = await deploy(node, payload("1"))
        following = asyncio.create_task(events_of(node, deployment.deployment_id))
        async with asyncio.timeout(20):
            async for told in follow(node, deployment.deployment_id):
                seen = [
                    line for event in told.events for one in event.hook_output.outputs for line in one.lines
                ]
                if "3" in seen:
                    break
        journal.hold.unlink()
        for event in await following:
            outputs += event.hook_output.outputs
    lines: dict[tuple[str, bool], list[str]] = {}
    for output in outputs:
        assert output.node_name == "one"
        lines.setdefault((output.hook, output.taking_back), []).extend(output.lines)
    assert lines == {
        ("migrate", False): ["1", "2", "3", "done"],
        ("reload", False): ["broken"],
        ("reload", True): ["broken"],
    }
    ends = [(one.hook, one.exit_code, one.outcome) for one in outputs if one.ended]
    assert ends == [
        ("migrate", 0, "ended with exit code 0"),
        ("reload", 1, "ended with exit code 1"),
        ("reload", 0, "ended with exit code 0"),
    ]
    assert {one.kind for one in outputs if one.hook == "migrate"} == {progress_pb2.HOOK_KIND_BEFORE_SWITCH}
    assert (await following)[-1].status_changed.to_status == d.DEPLOYMENT_STATUS_FAILED
