"""Deploying to a real node: every source and both ways, what is refused, and the same id again."""

from __future__ import annotations

import asyncio
import filecmp
import hashlib
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_client import (
    Client,
    DeploymentStatus,
    PayloadFormat,
    UploadPhase,
    UploadProgress,
    VersionBump,
    Way,
    errors,
    new_deployment_id,
)
from tests.services.processes import ServerProcess

both_ways = pytest.mark.parametrize("way", list(Way))


async def _pieces(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


def _live(server: ServerProcess, project: str) -> Path:
    return (server.data_dir / "live" / project).resolve()


def _same_tree(first: Path, second: Path) -> bool:
    compared = filecmp.dircmp(first, second, ignore=[], hide=[])
    pending = [compared]
    while pending:
        each = pending.pop()
        if each.left_only or each.right_only or each.diff_files or each.funny_files:
            return False
        pending += each.subdirs.values()
    return True


@both_ways
async def test_a_directory_goes_live_as_it_is(
    client: Client, server: ServerProcess, project: str, tree: Path, way: Way
) -> None:
    seen: list[UploadProgress] = []
    deployment_id = new_deployment_id()
    recorded = await client.deploy(
        tree, project=project, deployment_id=deployment_id, way=way, on_progress=seen.append
    )
    assert (recorded.deployment_id, recorded.version) == (deployment_id, "1.0.0")
    ended = await client.wait(deployment_id)
    assert (ended.status, ended.live) == (DeploymentStatus.SUCCEEDED, True)
    live = _live(server, project)
    assert _same_tree(live, tree)
    assert os.access(live / "run.sh", os.X_OK)
    assert (live / "current").readlink() == Path("sub")

    assert [progress.phase for progress in seen][:1] == [UploadPhase.ACCEPTED]
    assert seen[-1].phase is UploadPhase.RECORDING
    assert seen[-1].done_bytes == seen[-1].total_bytes == ended.payload_size_bytes
    assert ended.transfer is not None
    assert seen[-1].sent_bytes == ended.transfer.received_bytes


@both_ways
async def test_bytes_of_an_iterator_become_a_file(
    client: Client, server: ServerProcess, project: str, way: Way
) -> None:
    data = os.urandom(3_000_000)
    recorded = await client.deploy(
        _pieces(data),
        project=project,
        payload_format=PayloadFormat.FILE,
        file_name="model.bin",
        sha256=hashlib.sha256(data).hexdigest(),
        way=way,
    )
    await client.wait(recorded.deployment_id)
    assert (_live(server, project) / "model.bin").read_bytes() == data


async def test_a_changed_version_sends_little_and_the_same_sends_nothing(
    client: Client, project: str, tmp_path: Path
) -> None:
    for number in range(40):
        (tmp_path / f"f{number:02}").write_bytes(os.urandom(100_000))
    first = await client.deploy(tmp_path, project=project)
    await client.wait(first.deployment_id)
    (tmp_path / "f07").write_bytes(os.urandom(100_000))
    second = await client.deploy(tmp_path, project=project, bump=VersionBump.MINOR)
    assert second.version == "1.1.0"
    assert second.transfer is not None
    assert 100_000 <= second.transfer.received_bytes < 200_000
    third = await client.deploy(tmp_path, project=project)
    assert third.transfer is not None
    assert third.transfer.received_bytes == 0


async def test_the_manifest_names_project_and_version(client: Client, project: str, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(f'{{"name": "@{project}/Web", "version": "3.1.4"}}')
    recorded = await client.deploy(tmp_path)
    assert (recorded.project, recorded.version) == (f"{project}.web", "3.1.4")
    archive = tmp_path.parent / f"{project}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path, arcname="inside")
    again = await client.deploy(archive)
    assert (again.project, again.version) == (f"{project}.web", "3.1.4")
    assert again.content_sha256 == recorded.content_sha256


async def test_without_a_name_nothing_is_sent(client: Client, tmp_path: Path) -> None:
    with pytest.raises(errors.ProjectUnknown, match=r"package\.json"):
        await client.deploy(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "No Project"}')
    with pytest.raises(errors.ProjectUnknown, match="No Project"):
        await client.deploy(tmp_path)
    with pytest.raises(errors.ProjectUnknown):
        await client.deploy(_pieces(b"x"))


@both_ways
async def test_a_refused_header_is_the_true_error_and_costs_no_bytes(
    client: Client, project: str, way: Way
) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(1 << 20)

    with pytest.raises(errors.EnvironmentNotFound) as caught:
        await client.deploy(endless(), project=project, environment="nowhere", way=way)
    assert caught.value.reason == "ENVIRONMENT_NOT_FOUND"
    assert caught.value.request_id
    assert taken == 0
    with pytest.raises(errors.InvalidRequest) as invalid:
        await client.deploy(endless(), project="Not A Project", way=way)
    assert "project" in invalid.value.field_violations[0].field


@both_ways
async def test_wrong_size_and_wrong_sha256_are_refused(client: Client, project: str, way: Way) -> None:
    data = os.urandom(300_000)
    for wrong in ({"size_bytes": 299_999}, {"size_bytes": 300_001}, {"sha256": "0" * 64}):
        with pytest.raises(errors.PayloadMismatch) as caught:
            await client.deploy(_pieces(data), project=project, file_name="f", way=way, **wrong)
        assert caught.value.reason in ("SIZE_MISMATCH", "SHA256_MISMATCH")
    assert [release async for release in client.releases(project)] == []


@both_ways
async def test_an_empty_payload_is_refused(client: Client, project: str, tmp_path: Path, way: Way) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(errors.PayloadRefused) as caught:
        await client.deploy(tmp_path / "empty", project=project, way=way)
    assert caught.value.reason == "PAYLOAD_EMPTY"


async def test_a_hostile_archive_is_refused_with_its_findings(
    client: Client, project: str, tmp_path: Path
) -> None:
    archive = tmp_path / "hostile.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("ok", "../escape", "/absolute"):
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
    with pytest.raises(errors.PayloadRefused) as caught:
        await client.deploy(archive, project=project)
    assert {finding.code for finding in caught.value.findings} == {"PATH_ESCAPES", "PATH_ABSOLUTE"}
    assert {finding.severity.value for finding in caught.value.findings} == {"error"}
    assert caught.value.total_findings == 2


async def test_a_version_with_other_content_exists_and_the_same_content_is_welcome(
    client: Client, project: str, tree: Path
) -> None:
    await client.deploy(tree, project=project, version="2.0.0")
    again = await client.deploy(tree, project=project, version="2.0.0")
    assert again.version == "2.0.0"
    (tree / "more").write_text("more")
    with pytest.raises(errors.VersionExists):
        await client.deploy(tree, project=project, version="2.0.0")


async def test_the_same_id_again_gives_the_same_answer_and_other_content_does_not(
    client: Client, project: str, tree: Path
) -> None:
    deployment_id = new_deployment_id()
    first = await client.deploy(tree, project=project, deployment_id=deployment_id)
    second = await client.deploy(tree, project=project, deployment_id=deployment_id)
    assert (first.version, first.payload_sha256) == (second.version, second.payload_sha256)
    assert len([release async for release in client.releases(project)]) == 1
    with pytest.raises(errors.DeploymentIdReused):
        await client.deploy(tree, project=project, deployment_id=deployment_id, version="9.9.9")


async def test_many_deployments_at_once(client: Client, project: str, tmp_path: Path) -> None:
    trees = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "data").write_bytes(os.urandom(500_000))
        trees.append(folder)
    recorded = await asyncio.gather(*(client.deploy(tree, project=project) for tree in trees))
    assert sorted(each.version for each in recorded) == [f"1.0.{number}" for number in range(6)]


async def test_wrong_use_is_told_before_any_call() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        Client("http://example.org")
    with pytest.raises(RuntimeError, match="not open"):
        await Client().server_info()
    async with Client() as unreachable:
        with pytest.raises(ValueError, match="not both"):
            await unreachable.deploy(".", version="1.0.0", bump=VersionBump.MAJOR)
        with pytest.raises(ValueError, match="not both"):
            await unreachable.rollback("p", version="1.0.0", target_deployment_id=new_deployment_id())
