"""Uploads, downloads and followers go on after the connection, or the node, broke."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_client import (
    Client,
    DeploymentStatus,
    Event,
    UploadPhase,
    UploadProgress,
    Way,
    errors,
    new_deployment_id,
)
from tests.client.cable import cable_to
from tests.services.ports import ReservedPort
from tests.services.processes import ServerProcess, serve

_SIZE = 24 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(_SIZE))
    return path


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize("way", list(Way))
async def test_an_upload_goes_on_after_a_cut(
    server: ServerProcess, project: str, large: Path, way: Way
) -> None:
    seen: list[UploadProgress] = []
    async with cable_to(server.address) as cable, Client(cable.address) as client:
        cable.cut_after_sent = 10 << 20
        recorded = await client.deploy(large, project=project, way=way, on_progress=seen.append)
        assert cable.cuts == 1
        ended = await client.wait(recorded.deployment_id)
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert _bytes(server.data_dir / "live" / project / "large.bin") == _bytes(large)
    assert [p.error is not None for p in seen if p.phase is UploadPhase.WAITING] == [True]
    assert {progress.attempt for progress in seen} == {1, 2}
    assert [p.attempt for p in seen if p.phase is UploadPhase.RECORDING] == [2]


async def test_an_iterators_upload_goes_on_after_a_cut(server: ServerProcess, project: str) -> None:
    data = os.urandom(_SIZE)

    async def once() -> AsyncIterator[bytes]:
        for begin in range(0, len(data), 1 << 20):
            yield data[begin : begin + (1 << 20)]

    async with cable_to(server.address) as cable, Client(cable.address) as client:
        cable.cut_after_sent = 10 << 20
        recorded = await client.deploy(once(), project=project, file_name="data")
        assert cable.cuts == 1
        await client.wait(recorded.deployment_id)
    assert _bytes(server.data_dir / "live" / project / "data") == data


async def test_a_file_that_changes_between_two_attempts_is_never_patched_together(
    server: ServerProcess, project: str, large: Path
) -> None:
    def change(progress: UploadProgress) -> None:
        if progress.phase is UploadPhase.WAITING:
            with large.open("r+b") as file:
                file.write(b"another beginning")

    async with cable_to(server.address) as cable, Client(cable.address) as client:
        cable.cut_after_sent = 10 << 20
        with pytest.raises(errors.PayloadChanged):
            await client.deploy(large, project=project, on_progress=change)
        assert cable.cuts == 1
        assert [release async for release in client.releases(project)] == []


async def test_an_upload_outlives_its_node(project: str, large: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "node"
    with ReservedPort() as port:
        async with serve(data_dir=data_dir, listen=port.address) as server, Client(port.address) as client:
            halfway = asyncio.Event()

            def note(progress: UploadProgress) -> None:
                if progress.done_bytes > _SIZE // 3:
                    halfway.set()

            upload = asyncio.create_task(
                client.deploy(large, project=project, way=Way.PLAIN, on_progress=note)
            )
            await halfway.wait()
            server.kill()
            async with serve(data_dir=data_dir, listen=port.address):
                recorded = await upload
                ended = await client.wait(recorded.deployment_id)
                assert ended.status is DeploymentStatus.SUCCEEDED
                assert [release.version async for release in client.releases(project)] == ["1.0.0"]
            assert _bytes(data_dir / "live" / project / "large.bin") == _bytes(large)


@pytest.mark.parametrize("way", list(Way))
async def test_a_cancelled_upload_leaves_nothing_here_and_can_be_resumed(
    server: ServerProcess, project: str, large: Path, way: Way
) -> None:
    deployment_id = new_deployment_id()
    async with Client(server.address) as client:
        sending = asyncio.Event()

        def note(progress: UploadProgress) -> None:
            if progress.phase is UploadPhase.SENDING:
                sending.set()

        upload = asyncio.create_task(
            client.deploy(large, project=project, deployment_id=deployment_id, way=way, on_progress=note)
        )
        await sending.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert not [t.name for t in threading.enumerate() if t.name.startswith("longshore-")]
    async with Client(server.address) as client:
        recorded = await client.deploy(large, project=project, deployment_id=deployment_id, way=way)
        assert (await client.wait(recorded.deployment_id)).live


async def test_following_goes_on_from_the_last_event(server: ServerProcess, project: str, tree: Path) -> None:
    async with Client(server.address) as direct:
        recorded = await direct.deploy(tree, project=project)
        ended = await direct.wait(recorded.deployment_id)
    breaks: list[errors.LongshoreError] = []
    async with cable_to(server.address) as cable, Client(cable.address) as client:
        sequences: list[int] = []
        async for update in client.follow(recorded.deployment_id, on_break=breaks.append):
            if isinstance(update, Event):
                sequences.append(update.sequence)
                if update.sequence == 2:
                    cable.cut()
        assert cable.connections == 2 or not breaks
    assert sequences == list(range(1, ended.last_sequence + 1))


async def test_a_follower_connects_again_while_a_deployment_goes_on(
    server: ServerProcess, project: str, large: Path
) -> None:
    deployment_id = new_deployment_id()
    breaks: list[errors.LongshoreError] = []
    async with cable_to(server.address) as cable, Client(cable.address) as follower:

        async def follow() -> list[int]:
            sequences: list[int] = []
            updates = follower.follow(deployment_id, wait_for_creation_s=30, on_break=breaks.append)
            async for update in updates:
                if isinstance(update, Event):
                    sequences.append(update.sequence)
                    cable.cut()
            return sequences

        following = asyncio.create_task(follow())
        async with Client(server.address) as client:
            await client.deploy(large, project=project, deployment_id=deployment_id)
            ended = await client.wait(deployment_id)
        assert await following == list(range(1, ended.last_sequence + 1))
        assert breaks


async def test_a_server_that_stays_away_ends_the_patience() -> None:
    with ReservedPort() as port:
        async with Client(port.address) as client:
            with pytest.raises(errors.Unavailable, match=port.address):
                async for _ in client.follow(new_deployment_id(), patience_s=0.5):
                    pass
            with pytest.raises(errors.Unavailable):
                await client.get(new_deployment_id())


async def test_a_download_goes_on_after_a_cut(
    server: ServerProcess, project: str, large: Path, tmp_path: Path
) -> None:
    async with Client(server.address) as direct:
        recorded = await direct.deploy(large, project=project)
    async with cable_to(server.address) as cable, Client(cable.address) as client:
        cable.cut_after_received = 10 << 20
        download = await client.download(project, recorded.version, tmp_path / "copy")
        assert cable.cuts == 1
        assert cable.connections > 1
    assert _bytes(download.path) == _bytes(large)
    assert download.payload_sha256 == recorded.payload_sha256
