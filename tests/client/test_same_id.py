"""One deployment id means one thing: two who use it get one answer, and what has ended stays as it ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_client import Client, UploadPhase, UploadProgress, Way, errors, new_deployment_id
from tests.services.processes import ServerProcess

from .cable import cable_to
from .command_line import Run

MIB = 1 << 20


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.mark.parametrize("way", list(Way))
async def test_two_at_once_get_the_same_answer(
    server: ServerProcess, client: Client, project: str, tree: Path, way: Way
) -> None:
    deployment_id = new_deployment_id()
    async with Client(server.address) as other:
        answers = await asyncio.gather(
            *(
                each.deploy(tree, project=project, deployment_id=deployment_id, way=way)
                for each in (client, other)
            )
        )
    assert {answer.deployment_id for answer in answers} == {deployment_id}
    assert len({(answer.version, answer.payload_sha256) for answer in answers}) == 1
    assert [release.version async for release in client.releases(project)] == ["1.0.0"]
    assert len([deployment async for deployment in client.list(project=project)]) == 1


async def test_who_waits_for_another_goes_on_where_that_one_broke_off(
    server: ServerProcess, client: Client, project: str, tmp_path: Path
) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(24 * MIB))
    deployment_id = new_deployment_id()
    waits = asyncio.Event()

    def note(progress: UploadProgress) -> None:
        if isinstance(progress.error, errors.UploadInProgress):
            waits.set()

    async with cable_to(server.address) as cable, Client(cable.address) as first:
        cable.hold_after_sent = 20 * MIB
        holding = asyncio.create_task(first.deploy(source, project=project, deployment_id=deployment_id))
        await asyncio.wait_for(cable.held.wait(), 20)
        waiting = asyncio.create_task(
            client.deploy(source, project=project, deployment_id=deployment_id, on_progress=note)
        )
        await asyncio.wait_for(waits.wait(), 20)
        cable.cut()
        one, other = await asyncio.gather(holding, waiting)
    assert (one.version, one.payload_sha256) == (other.version, other.payload_sha256)
    assert (await client.wait(deployment_id)).live
    assert [release.version async for release in client.releases(project)] == ["1.0.0"]


async def test_what_has_succeeded_gives_its_answer_and_what_has_failed_its_error(
    client: Client, project: str, tree: Path
) -> None:
    succeeded, failed = new_deployment_id(), new_deployment_id()
    first = await client.deploy(tree, project=project, deployment_id=succeeded)
    await client.wait(succeeded)
    seen: list[UploadProgress] = []
    again = await client.deploy(tree, project=project, deployment_id=succeeded, on_progress=seen.append)
    assert (again.version, again.payload_sha256) == (first.version, first.payload_sha256)
    assert again.live
    assert [progress.phase for progress in seen] == [UploadPhase.ACCEPTED, UploadPhase.RECORDING]
    assert seen[-1].already_stored

    told = []
    for _ in range(2):
        with pytest.raises(errors.PayloadMismatch) as caught:
            await client.deploy(
                _bytes(b"some"), project=project, deployment_id=failed, file_name="f", sha256="0" * 64
            )
        told.append((caught.value.reason, caught.value.message))
    assert told[0] == told[1]
    assert told[0][0] == "SHA256_MISMATCH"
    assert [release.version async for release in client.releases(project)] == ["1.0.0"]


async def test_an_id_of_something_else_is_refused(client: Client, project: str, tree: Path) -> None:
    deployment_id = new_deployment_id()
    await client.deploy(tree, project=project, deployment_id=deployment_id)
    await client.wait(deployment_id)
    others = (
        client.deploy(tree, project=f"{project}-other", deployment_id=deployment_id),
        client.deploy(tree, project=project, version="3.0.0", deployment_id=deployment_id),
        client.deploy(_bytes(b"x"), project=project, file_name="f", deployment_id=deployment_id),
        client.deploy_release(project, "1.0.0", deployment_id=deployment_id),
        client.rollback(project, version="1.0.0", deployment_id=deployment_id),
    )
    for other in others:
        with pytest.raises(errors.DeploymentIdReused):
            await other
    (tree / "more").write_text("more")
    with pytest.raises(errors.DeploymentIdReused):
        await client.deploy(tree, project=project, deployment_id=deployment_id)
    assert [release.version async for release in client.releases(project)] == ["1.0.0"]


def test_the_command_line_tells_what_to_do(run: Run, project: str, tree: Path) -> None:
    deployment_id = new_deployment_id()
    deploy = ("deploy", tree, "-p", project, "--deployment-id", deployment_id)
    assert run(*deploy).code == 0
    assert run(*deploy).out == f"{project} 1.0.0 is live in default on 1 node\n"
    (tree / "more").write_text("more")
    reused = run(*deploy)
    assert reused.code == 5
    assert deployment_id in reused.err
    assert "what to do: leave --deployment-id out, or give a new one" in reused.err
