"""One client and several servers: what one cannot do goes on at the next, and a refusal does not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from longshore_client import (
    Client,
    DeploymentStatus,
    Event,
    SyncClient,
    UploadPhase,
    UploadProgress,
    Way,
    errors,
    new_deployment_id,
)
from tests.faults.calls import UploadCall, Uploading, channel_to, connected, wait_for_health
from tests.faults.nodes import NodeProcess
from tests.services.ports import ReservedPort
from tests.services.processes import ServerProcess

from .cable import cable_to
from .fleet import Fleet

MIB = 1 << 20
_SIZE = 28 * MIB


@pytest.fixture
async def two(fleet: Fleet) -> AsyncIterator[tuple[NodeProcess, NodeProcess]]:
    """One that only receives, so that nobody waits for it when it is killed, and one that does everything."""
    async with fleet.node("one", roles="receive") as one, fleet.node("two") as two:
        yield one, two


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with ReservedPort() as port:
        yield port.address


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(_SIZE))
    return path


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


async def _durable(client: Client, deployment_id: str, *, at_least: int) -> int:
    """Wait until so much of an upload is durable, and tell how much is."""
    async with asyncio.timeout(20):
        while True:
            moved = (await client.get(deployment_id)).transfer
            if moved is not None and moved.durable_bytes >= at_least:
                return moved.durable_bytes
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("way", list(Way))
async def test_a_killed_servers_upload_goes_on_at_the_other(
    two: tuple[NodeProcess, NodeProcess], project: str, large: Path, way: Way
) -> None:
    first, second = two
    seen: list[UploadProgress] = []
    deployment_id = new_deployment_id()
    async with (
        cable_to(first.address) as cable,
        Client(f"{cable.address},{second.address}") as client,
        Client(second.address) as watching,
    ):
        cable.hold_after_sent = 24 * MIB
        upload = asyncio.create_task(
            client.deploy(
                large, project=project, deployment_id=deployment_id, way=way, on_progress=seen.append
            )
        )
        await cable.held.wait()
        durable = await _durable(watching, deployment_id, at_least=16 * MIB)
        await first.kill()
        recorded = await upload
        ended = await client.wait(recorded.deployment_id)
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert (ended.deployment_id, ended.payload_size_bytes) == (deployment_id, _SIZE)
    assert _same(second.data_dir / "live" / project / "large.bin", large)

    (broken,) = (progress for progress in seen if progress.phase is UploadPhase.WAITING)
    assert isinstance(broken.error, errors.LongshoreError)
    assert broken.server == second.address
    accepted = [progress for progress in seen if progress.phase is UploadPhase.ACCEPTED]
    assert [progress.server for progress in accepted] == [cable.address, second.address]
    assert accepted[-1].done_bytes >= durable
    assert seen[-1].sent_bytes - broken.sent_bytes <= _SIZE - durable
    assert ended.transfer is not None
    assert ended.transfer.received_bytes == _SIZE


async def test_following_goes_on_at_the_other_without_a_gap_or_a_double(
    two: tuple[NodeProcess, NodeProcess], project: str, tree: Path
) -> None:
    first, second = two
    deployment_id = new_deployment_id()
    breaks: list[errors.LongshoreError] = []
    async with (
        Client(f"{first.address},{second.address}") as follower,
        Client(second.address) as client,
    ):

        async def follow() -> list[int]:
            sequences: list[int] = []
            updates = follower.follow(deployment_id, wait_for_creation_s=30, on_break=breaks.append)
            async for update in updates:
                if isinstance(update, Event):
                    sequences.append(update.sequence)
                    if update.sequence == 2:
                        await first.kill()
            return sequences

        following = asyncio.create_task(follow())
        await client.deploy(tree, project=project, deployment_id=deployment_id)
        ended = await client.wait(deployment_id)
        assert ended.live
        assert await following == list(range(1, ended.last_sequence + 1))
        assert len(breaks) == 1


async def test_a_draining_server_sends_uploads_to_the_other(
    two: tuple[NodeProcess, NodeProcess], project: str, tree: Path
) -> None:
    first, second = two
    async with connected(first) as stub, channel_to(first.address) as channel:
        running = UploadCall(stub, Uploading(b"x" * MIB, project="running", file_name="f"))
        await running.accepted()
        first.send(signal.SIGTERM)
        await wait_for_health(channel, "longshore.upload", False)
        seen: list[UploadProgress] = []
        async with Client(f"{first.address},{second.address}") as client:
            recorded = await client.deploy(tree, project=project, on_progress=seen.append)
            assert (await client.wait(recorded.deployment_id)).live
        assert [type(p.error) for p in seen if p.phase is UploadPhase.WAITING] == [errors.Draining]
        assert seen[-1].server == second.address
        await running.rest(0)
        assert (await first.ended()).status == 0


async def test_a_server_without_the_role_sends_uploads_to_the_other(
    fleet: Fleet, project: str, tree: Path
) -> None:
    async with (
        fleet.node("one", roles="control") as one,
        fleet.node("two", roles="control") as two,
        fleet.node("three") as three,
    ):
        async with Client(f"{one.address},{two.address},{three.address}") as client:
            recorded = await client.deploy(tree, project=project)
            assert (await client.wait(recorded.deployment_id)).live
        async with Client(f"{one.address},{two.address}") as client:
            with pytest.raises(errors.RoleMissing) as caught:
                await client.deploy(tree, project=project)
            assert one.address in caught.value.message
            assert two.address in caught.value.message


async def test_an_address_at_which_nobody_is_costs_a_moment(
    server: ServerProcess, nowhere: str, project: str, tree: Path, tmp_path: Path
) -> None:
    seen: list[UploadProgress] = []
    async with Client(f"{nowhere},{server.address}") as client:
        recorded = await client.deploy(tree, project=project, on_progress=seen.append)
        assert (await client.wait(recorded.deployment_id)).live
        # What was asked before the upload has found the server that answers.
        assert {progress.server for progress in seen} == {server.address}
        assert {progress.attempt for progress in seen} == {1}
        assert [release.version async for release in client.releases(project)] == ["1.0.0"]
    async with Client(f"{nowhere},{server.address}") as client:
        await client.download(project, "1.0.0", tmp_path / "copy")
    async with Client(f"{nowhere},{server.address}") as client:
        updates = [update async for update in client.follow(recorded.deployment_id)]
        assert updates


async def test_a_download_goes_on_at_the_other(
    server: ServerProcess, project: str, large: Path, tmp_path: Path
) -> None:
    async with cable_to(server.address) as cable, Client(f"{cable.address},{server.address}") as client:
        recorded = await client.deploy(large, project=project)
        cable.cut_after_received = 10 * MIB
        connections = cable.connections
        download = await client.download(project, recorded.version, tmp_path / "copy")
        assert (cable.cuts, cable.connections) == (1, connections)
    assert _same(download.path, large)


async def test_a_refusal_is_not_carried_around(server: ServerProcess, project: str, tree: Path) -> None:
    async with cable_to(server.address) as cable, Client(f"{server.address},{cable.address}") as client:
        with pytest.raises(errors.EnvironmentNotFound) as caught:
            await client.deploy(tree, project=project, environment="nowhere")
        assert "none of the" not in caught.value.message
        with pytest.raises(errors.DeploymentNotFound):
            await client.get(new_deployment_id())
        with pytest.raises(errors.DeploymentNotFound):
            async for _ in client.follow(new_deployment_id()):
                pass
        with pytest.raises(errors.ProjectNotFound):
            await client.download(project, "1.0.0", tree.parent / "copy")
        assert cable.connections == 0


async def test_the_server_that_answered_last_is_asked_first(server: ServerProcess, project: str) -> None:
    async with (
        cable_to(server.address) as first,
        cable_to(server.address) as second,
        Client(f"{first.address},{second.address}") as client,
    ):
        await client.server_info()
        first.stop()
        for _ in range(3):
            await client.server_info()
        assert (first.connections, second.connections) == (1, 1)
        second.stop()
        with pytest.raises(errors.Unavailable):
            await client.server_info()


async def test_all_that_were_tried_are_named(nowhere: str) -> None:
    with ReservedPort() as port:
        async with Client(f"{nowhere}, {port.address}") as client:
            for call in (
                client.get(new_deployment_id()),
                client.deploy("."),
                client.rollback("web"),
            ):
                with pytest.raises(errors.Unavailable) as caught:
                    await call
                assert nowhere in caught.value.message
                assert port.address in caught.value.message
            with pytest.raises(errors.Unavailable, match=port.address):
                async for _ in client.follow(new_deployment_id(), patience_s=0.5):
                    pass


def test_the_client_without_an_event_loop_goes_on_too(
    server: ServerProcess, nowhere: str, project: str, tree: Path, tmp_path: Path
) -> None:
    with SyncClient(f"{nowhere},{server.address}") as client:
        recorded = client.deploy(tree, project=project)
        assert client.wait(recorded.deployment_id).live
        assert client.download(project, recorded.version, tmp_path / "copy").size_bytes > 0
