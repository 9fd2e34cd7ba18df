"""Watching deployments through the library: as they change, over the death of the server that was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from longshore_client import (
    CallPolicy,
    Client,
    Deployment,
    DeploymentStatus,
    LongshoreError,
    SyncClient,
    Terms,
    errors,
    watching,
)
from tests.services.processes import ServerProcess

from .cable import cable_to
from .fleet import Fleet


async def until(
    watched: AsyncGenerator[Deployment, None], deployment_id: str, status: DeploymentStatus
) -> list[str]:
    """Read until a deployment stands so; the ids that were told meanwhile."""
    told = []
    async with asyncio.timeout(30):
        async for deployment in watched:
            told.append(deployment.deployment_id)
            if (deployment.deployment_id, deployment.status) == (deployment_id, status):
                break
    return told


async def test_deployments_are_told_as_they_change(client: Client, project: str, tree: Path) -> None:
    staged = await client.deploy(tree, project=project, terms=Terms(stage_only=True))
    async with aclosing(client.watch_deployments(project=project)) as watched:
        first = await anext(watched)
        assert (first.deployment_id, first.status) == (staged.deployment_id, DeploymentStatus.STAGED)
        made = await client.deploy(tree, project=project)
        told = await until(watched, made.deployment_id, DeploymentStatus.SUCCEEDED)
        assert set(told) == {made.deployment_id}
        await client.cancel(staged.deployment_id)
        await until(watched, staged.deployment_id, DeploymentStatus.CANCELLED)
    with pytest.raises(errors.InvalidRequest):
        await anext(client.watch_deployments(begin_with=501))


async def test_the_last_state_comes_from_another_server(fleet: Fleet, project: str, tree: Path) -> None:
    breaks: list[LongshoreError] = []
    async with (
        fleet.node("one", roles="receive,control") as one,
        fleet.node("two", roles="receive,control") as two,
        Client(f"{one.address},{two.address}") as client,
        Client(two.address) as other,
    ):
        staged = await other.deploy(tree, project=project, terms=Terms(stage_only=True))
        newer = await other.deploy(tree, project=project, terms=Terms(stage_only=True))
        watched = client.watch_deployments(project=project, begin_with=1, on_break=breaks.append)
        async with aclosing(watched):
            assert (await anext(watched)).deployment_id == newer.deployment_id
            # Not among the newest: it is told because it changes, and then not forgotten.
            await other.promote(staged.deployment_id, staged.waiting_gate_id)
            await until(watched, staged.deployment_id, DeploymentStatus.QUEUED)
            await one.kill()
            await other.cancel(staged.deployment_id)
            told = await until(watched, staged.deployment_id, DeploymentStatus.CANCELLED)
            assert told[0] == newer.deployment_id
    assert breaks


async def test_only_so_many_are_asked_for_after_a_break(
    server: ServerProcess, client: Client, project: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_MOST_REMEMBERED", 2, raising=False)
    async with cable_to(server.address) as cable, Client(cable.address) as watcher:
        made = [await client.deploy(tree, project=project, terms=Terms(stage_only=True))]
        watched = watcher.watch_deployments(
            project=project, statuses=[DeploymentStatus.STAGED, DeploymentStatus.CANCELLED], begin_with=1
        )
        async with aclosing(watched):
            await until(watched, made[0].deployment_id, DeploymentStatus.STAGED)
            for _ in range(2):
                made.append(await client.deploy(tree, project=project, terms=Terms(stage_only=True)))
                await until(watched, made[-1].deployment_id, DeploymentStatus.STAGED)
            cable.cut()
            forgotten, asked_for, newest = (one.deployment_id for one in made)
            told = await until(watched, asked_for, DeploymentStatus.STAGED)
            await client.cancel(newest)
            told += await until(watched, newest, DeploymentStatus.CANCELLED)
            assert told == [newest, asked_for, newest]
            # It is told as soon as it changes again.
            await client.cancel(forgotten)
            await until(watched, forgotten, DeploymentStatus.CANCELLED)


async def test_a_server_that_stays_away_ends_the_patience(project: str) -> None:
    async with Client("127.0.0.1:1", policy=CallPolicy(patience_s=0.1)) as client:
        with pytest.raises(errors.Unavailable):
            await anext(client.watch_deployments(project=project))


def test_without_an_event_loop(server: ServerProcess, project: str, tree: Path) -> None:
    with SyncClient(server.address) as client:
        made = client.deploy(tree, project=project)
        client.wait(made.deployment_id)
        watched = client.watch_deployments(project=project)
        assert next(watched).status is DeploymentStatus.SUCCEEDED
        watched.close()
