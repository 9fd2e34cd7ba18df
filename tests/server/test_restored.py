"""A database restored from an older backup under nodes that have gone on since."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import grpc

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.catalogue import restored
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Actor

from .calls import deploy_to_end, new_id, refused
from .contents import canonical_tar, installed, small_tree
from .rollouts import PROJECT, Place
from .running import RunningNode, StartNode, embedded
from .test_converging import place as place

S = grpc.StatusCode
NODE = Actor("node:a")


def back_up(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as database, sqlite3.connect(target) as copy:
        database.backup(copy)


async def has(node: RunningNode, text: str) -> None:
    async with asyncio.timeout(20):
        while not node.live("netops").is_dir() or installed(node.live("netops")) != small_tree(text):
            await asyncio.sleep(0.05)


@embedded
async def test_nodes_come_to_what_the_database_says(start_node: StartNode, tmp_path: Path) -> None:
    database, backup = tmp_path / "one" / "longshore.db", tmp_path / "backup.db"
    async with start_node("one") as node:
        await deploy_to_end(node, canonical_tar(small_tree("one")))
        back_up(database, backup)
        for text in ("two", "three"):
            await deploy_to_end(node, canonical_tar(small_tree(text)))
    for path in database.parent.glob("longshore.db*"):
        path.unlink()
    back_up(backup, database)
    async with start_node("one") as node:
        await has(node, "one")
        listed = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(page_size=50))
        assert "node.ahead" in [entry.action for entry in listed.entries]
        with refused(S.NOT_FOUND, "RELEASE_NOT_FOUND"):
            await node.deployments.DeployRelease(
                pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="1.0.2")
            )
        for text in ("four", "five"):
            done = await deploy_to_end(node, canonical_tar(small_tree(text)))
            assert done.status == d.DEPLOYMENT_STATUS_SUCCEEDED
            assert done.generation > 3
            await has(node, text)


async def test_a_rollout_is_assigned_anew_past_what_a_node_has_obeyed(place: Place) -> None:
    deployment_id = await place.queue("1.0.0")
    step = place.step()
    await step.take()
    (stale,) = await place.due("a")
    for _ in range(2):
        async with place.catalogue.transaction() as transaction:
            await restored.raise_past(transaction, "a", PROJECT, 50, NODE)
    await step.take()
    (due,) = await place.due("a")
    assert (due.release_id, due.deployment_id) == (stale.release_id, deployment_id)
    assert due.generation == 51
    assert await place.report("a", ActivationStatus.LIVE)
    await step.take()
    ended = await place.get(deployment_id)
    assert (ended.status, ended.generation) == ("SUCCEEDED", 51)
    assert (await place.live()).live_generation == 51


async def test_what_is_taken_back_is_assigned_anew_too(place: Place) -> None:
    deployment_id = await place.queue("1.0.0")
    step = place.step()
    await step.take()
    assert await place.report("a", ActivationStatus.FAILED, "no room")
    await step.take()
    async with place.catalogue.transaction() as transaction:
        await restored.raise_past(transaction, "a", PROJECT, 9, NODE)
    await step.take()
    (due,) = await place.due("a")
    assert (due.release_id, due.generation) == (None, 10)
    assert await place.report("a", ActivationStatus.REMOVED)
    await step.take()
    assert (await place.get(deployment_id)).status == "FAILED"


async def test_only_what_the_database_is_behind_of_counts(place: Place) -> None:
    await place.queue("1.0.0")
    step = place.step()
    await step.take()
    assert await place.report("a", ActivationStatus.LIVE)
    await step.take()
    async with place.catalogue.reading() as transaction:
        assert await restored.ahead(transaction, "a", {PROJECT: 1}) == []
        assert await restored.ahead(transaction, "a", {PROJECT: 2, "unknown": 7}) == [PROJECT]
        assert await restored.ahead(transaction, "nobody", {PROJECT: 2}) == []
    async with place.catalogue.transaction() as transaction:
        await restored.raise_past(transaction, "a", PROJECT, 2, NODE)
        await restored.raise_past(transaction, "a", "unknown", 7, NODE)
    (due,) = await place.due("a")
    assert (due.generation, due.deployment_id) == (3, "")
