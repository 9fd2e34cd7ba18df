"""Following: every event once, in order, to the terminal one; and waiting for the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore_client import (
    CallPolicy,
    Client,
    ContentExamined,
    Deployment,
    DeploymentStatus,
    Event,
    NodesStepped,
    Snapshot,
    StatusChanged,
    errors,
    following,
    new_deployment_id,
)
from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.old_events import compact_events
from tests.services.processes import ServerProcess

from .cable import cable_to
from .command_line import Run


async def _events(client: Client, deployment_id: str, after: int = 0) -> list[Event]:
    return [update async for update in client.follow(deployment_id, after=after) if isinstance(update, Event)]


async def test_all_events_come_in_order_and_end_with_the_terminal_one(
    client: Client, project: str, tree: Path
) -> None:
    recorded = await client.deploy(tree, project=project)
    updates = [update async for update in client.follow(recorded.deployment_id)]
    events = [update for update in updates if isinstance(update, Event)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {type(event.detail) for event in events} >= {StatusChanged, ContentExamined, NodesStepped}
    assert isinstance(events[0].detail, StatusChanged)
    assert events[0].detail.from_status is None
    assert isinstance(events[-1].detail, StatusChanged)
    assert events[-1].detail.to_status is DeploymentStatus.SUCCEEDED
    assert all(event.message and event.time for event in events)
    assert isinstance(updates[0], Snapshot)
    assert updates[0].deployment.deployment_id == recorded.deployment_id

    ended = await client.get(recorded.deployment_id)
    assert ended.last_sequence == events[-1].sequence
    assert await _events(client, recorded.deployment_id, after=3) == events[3:]
    assert await _events(client, recorded.deployment_id, after=ended.last_sequence) == []


async def test_numbers_and_ids_that_do_not_exist(client: Client, project: str, tree: Path) -> None:
    recorded = await client.deploy(tree, project=project)
    await client.wait(recorded.deployment_id)
    with pytest.raises(errors.BeyondEnd):
        await _events(client, recorded.deployment_id, after=10_000)
    with pytest.raises(errors.DeploymentNotFound):
        await _events(client, new_deployment_id())


async def test_one_may_follow_before_it_begins(client: Client, project: str, tree: Path) -> None:
    deployment_id = new_deployment_id()

    async def follow() -> list[int]:
        updates = client.follow(deployment_id, wait_for_creation_s=30)
        return [update.sequence async for update in updates if isinstance(update, Event)]

    following = asyncio.create_task(follow())
    await client.deploy(tree, project=project, deployment_id=deployment_id)
    sequences = await following
    assert sequences == list(range(1, len(sequences) + 1))


async def test_waiting_for_an_id_is_no_silence(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has heartbeats while it waits; over breaks it is waited once and not each time."""
    asked: list[float] = []
    request = following._request

    def noted(deployment_id: str, after: int, wait_for_creation_s: float, *, until_waiting: bool) -> Any:
        asked.append(wait_for_creation_s)
        return request(deployment_id, after, wait_for_creation_s, until_waiting=until_waiting)

    monkeypatch.setattr(following, "_request", noted)
    monkeypatch.setattr(following, "SILENCE_S", 0.1)
    policy = CallPolicy(patience_s=0.5, first_wait_s=0.01)
    async with cable_to(server.address) as cable, Client(cable.address, policy=policy) as client:
        cable.hold_after_sent = 0
        async with asyncio.timeout(20):
            with pytest.raises(errors.Unavailable, match="silent"):
                await anext(client.follow(new_deployment_id(), wait_for_creation_s=60))
    assert len(asked) > 1
    assert asked == sorted(set(asked), reverse=True)


async def test_leaving_a_stream_early_ends_its_call(client: Client, project: str, tree: Path) -> None:
    recorded = await client.deploy(tree, project=project)
    updates = client.follow(recorded.deployment_id)
    await anext(updates)
    await updates.aclose()
    assert (await client.wait(recorded.deployment_id)).live


async def test_rollback_and_release_move_no_bytes(client: Client, project: str, tree: Path) -> None:
    first = await client.deploy(tree, project=project)
    await client.wait(first.deployment_id)
    with pytest.raises(errors.NoPreviousRelease):
        await client.rollback(project)
    (tree / "new").write_text("new")
    second = await client.deploy(tree, project=project)
    await client.wait(second.deployment_id)

    back = await client.rollback(project)
    assert back is not None
    assert (back.version, back.kind.value, back.rollback_of) == ("1.0.0", "rollback", second.deployment_id)
    await client.wait(back.deployment_id)
    assert (await client.get(second.deployment_id)).rolled_back_by == back.deployment_id
    assert await client.rollback(project, version="1.0.0") is None

    forward = await client.deploy_release(project, "1.0.1")
    assert (await client.wait(forward.deployment_id)).transfer is None
    with pytest.raises(errors.ReleaseNotFound):
        await client.deploy_release(project, "7.7.7")
    with pytest.raises(errors.ReleaseNotFound):
        await client.rollback(project, version="7.7.7")


async def test_a_failed_deployment_is_an_error_with_the_deployment(client: Client, project: str) -> None:
    deployment_id = new_deployment_id()

    async def two_bytes() -> AsyncIterator[bytes]:
        yield b"xx"

    with pytest.raises(errors.PayloadMismatch):
        await client.deploy(
            two_bytes(), project=project, deployment_id=deployment_id, size_bytes=3, file_name="f"
        )
    with pytest.raises(errors.DeploymentFailed) as caught:
        await client.wait(deployment_id)
    assert caught.value.deployment.status is DeploymentStatus.FAILED
    assert caught.value.reason == "SIZE_MISMATCH"


async def compacted(server: ServerProcess, project: str, tree: Path) -> Deployment:
    """A deployment that has ended, and of whose events only the changes of status are left."""
    async with Client(server.address) as client:
        made = await client.deploy(tree, project=project)
        ended = await client.wait(made.deployment_id)
    catalogue = open_catalogue(f"sqlite:///{server.data_dir}/longshore.db")
    try:
        async with catalogue.transaction() as transaction:
            assert (await compact_events(transaction, ended.deployment_id, limit=100)).done
    finally:
        await catalogue.close()
    return ended


def test_what_is_left_of_old_events_is_watched(
    server: ServerProcess, run: Run, project: str, tree: Path
) -> None:
    ended = asyncio.run(compacted(server, project, tree))
    whole = run("watch", ended.deployment_id)
    assert whole.code == 0
    assert "compacted" not in whole.err
    rest = run("watch", ended.deployment_id, "--after", "2")
    assert rest.code == 0
    assert "older events were compacted" in rest.out + rest.err
    assert "Succeeded: live on 1 node" in rest.out
    assert "Accepted" in whole.out
    assert "Accepted" not in rest.out
