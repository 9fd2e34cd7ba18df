"""Two nodes as processes on the same PostgreSQL, MinIO and etcd: either answers, and either takes over."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import select

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.catalogue import Catalogue, tables
from tests.bundles.trees import File
from tests.services.processes import ServerProcess

from .calls import (
    UploadCall,
    channel_to,
    data_messages,
    deploy,
    deploy_chunks,
    ended,
    events_of,
    follow,
    get,
    header,
    new_id,
    sha256_of,
    until,
)
from .contents import canonical_tar, installed, large_tree, random_bytes, small_tree, with_a_change
from .running import Serve

MIB = 1 << 20


def live_tree(server: ServerProcess, project: str = "netops") -> Path:
    return (server.data_dir / "live" / project).resolve()


async def owner_of(database: Catalogue, deployment_id: str) -> tuple[str, int]:
    """Who drives it: the node's name, and the epoch."""
    table, n = tables.deployment, tables.node
    async with database.reading() as transaction:
        row = await transaction.one(
            select(n.c.name, table.c.owner_epoch)
            .join_from(table, n, table.c.owner_node_id == n.c.id)
            .where(table.c.id == deployment_id)
        )
    assert row is not None
    return str(row.name), int(row.owner_epoch)


async def rolling_out(database: Catalogue, stubs_of: str, deployment_id: str) -> tuple[str, int]:
    async with channel_to(stubs_of) as stubs:
        async for told in follow(stubs, deployment_id):
            # Events come at once, snapshots only once a second.
            if any(
                event.status_changed.to_status == d.DEPLOYMENT_STATUS_ROLLING_OUT for event in told.events
            ):
                break
    return await owner_of(database, deployment_id)


async def test_either_node_answers(start: Serve) -> None:
    old, new = large_tree(), with_a_change(large_tree())
    async with (
        start("one") as one,
        start("two") as two,
        channel_to(one.address) as first,
        channel_to(two.address) as second,
    ):
        deployment_id = new_id()
        followers = [
            asyncio.create_task(events_of(stubs, deployment_id, wait_for_creation={"seconds": 30}))
            for stubs in (first, second)
        ]
        await deploy(first, canonical_tar(old), deployment_id)
        seen = await asyncio.gather(*followers)
        assert seen[0] == seen[1]
        assert [event.sequence for event in seen[0]] == list(range(1, len(seen[0]) + 1))
        made = await get(second, deployment_id)
        assert made == await get(first, deployment_id)
        assert (made.status, made.node_counts.live) == (d.DEPLOYMENT_STATUS_SUCCEEDED, 2)
        assert installed(live_tree(one)) == old == installed(live_tree(two))
        for stubs in (first, second):
            listed = await stubs.deployments.ListDeployments(pb.ListDeploymentsRequest())
            assert [entry.deployment_id for entry in listed.deployments] == [deployment_id]
            activations = await stubs.deployments.ListActivations(
                pb.ListActivationsRequest(deployment_id=deployment_id, page_size=1)
            )
            assert [entry.node_name for entry in activations.activations] == ["one"]
            rest = await stubs.deployments.ListActivations(
                pb.ListActivationsRequest(deployment_id=deployment_id, page_token=activations.next_page_token)
            )
            assert [entry.node_name for entry in rest.activations] == ["two"]

        # What one has stored, the other need not be sent.
        changed = await deploy_chunks(second, canonical_tar(new))
        assert changed.transfer.received_bytes < changed.transfer.reused_bytes / 10
        assert (await ended(first, changed.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert installed(live_tree(one)) == new == installed(live_tree(two))

        back = await second.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
        assert (await ended(first, back.deployment.deployment_id)).node_counts.live == 2
        assert installed(live_tree(one)) == old == installed(live_tree(two))

        async with asyncio.timeout(10):
            while True:
                nodes = (await second.cluster.ListNodes(cluster.ListNodesRequest())).nodes
                if all(node.alive for node in nodes):
                    break
        assert [(node.node_name, node.address) for node in nodes] == [
            ("one", one.address),
            ("two", two.address),
        ]


async def test_the_owner_dies_in_the_middle_of_a_rollout(start: Serve, database: Catalogue) -> None:
    async with start("one", NODE__ROLES="receive,control") as one, start("two") as two:
        # The only one to install is halted, so that the rollout stays where it is.
        two.pause()
        async with channel_to(one.address) as first:
            made = await deploy(first, canonical_tar(small_tree()))
        assert await rolling_out(database, one.address, made.deployment_id) == ("one", 1)
        one.kill()
        two.resume()
        async with channel_to(two.address) as second:
            done = await ended(second, made.deployment_id)
        assert done.status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert await owner_of(database, made.deployment_id) == ("two", 2)
        assert installed(live_tree(two)) == small_tree()


async def test_an_owner_that_dies_and_does_not_come_back(start: Serve, database: Catalogue) -> None:
    """It was to install too: after the deadline the rollout is taken back, and what was live stays."""
    deadline = {"ROLLOUT__PROGRESS_DEADLINE_S": "2"}
    async with start("two", **deadline) as two, channel_to(two.address) as second:
        async with start("one", **deadline) as one, channel_to(one.address) as first:
            before = await ended(first, (await deploy(first, canonical_tar(small_tree()))).deployment_id)
            assert before.node_counts.live == 2
            two.pause()
            # Large enough that it cannot be live before its node is killed.
            made = await deploy(first, canonical_tar({"large": File(random_bytes(64 * MIB))}))
            assert await rolling_out(database, one.address, made.deployment_id) == ("one", 1)
            one.kill()
        two.resume()
        failed = await ended(second, made.deployment_id)
        assert (failed.status, failed.live) == (d.DEPLOYMENT_STATUS_FAILED, False)
        assert "one" in failed.error.message
        assert (await get(second, before.deployment_id)).live
        assert installed(live_tree(two)) == small_tree()
        project = await second.catalog.GetProject(catalog.GetProjectRequest(project="netops"))
        assert project.environments[0].live_version == "1.0.0"


async def test_an_upload_goes_on_at_the_other_node(start: Serve) -> None:
    data = canonical_tar({"large": File(random_bytes(40 * MIB))})
    deployment_id, session_id = new_id(), new_id()
    async with start("one") as one, start("two", NODE__ROLES="receive,control") as two:
        async with channel_to(one.address) as first, channel_to(two.address) as second:
            async with UploadCall(first, header(deployment_id, session_id=session_id)) as call:
                await call.send(list(data_messages(data))[:35])
                await until(second, deployment_id, lambda seen: seen.transfer.durable_bytes)
                one.kill()
            async with UploadCall(second, header(deployment_id, session_id=session_id, attempt=2)) as call:
                assert 16 * MIB <= call.durable_offset < len(data)
                await call.send(data_messages(data, start=call.durable_offset))
                assert (await call.answer()).payload_sha256 == sha256_of(data)
        async with start("one") as again, channel_to(again.address) as first:
            assert (await ended(first, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
            assert (live_tree(again) / "large").read_bytes() == random_bytes(40 * MIB)
