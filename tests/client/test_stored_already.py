"""A payload that the project has already costs no bytes: not one of a known sha256, few of any other."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore_client import Client, Deployment, UploadPhase, UploadProgress, Way, deploying, errors
from tests.services.processes import ServerProcess

from .cable import cable_to
from .command_line import Run

MIB = 1 << 20
_SIZE = 12 * MIB
# Header, answer, questions about the server, and what HTTP/2 adds.
_A_CALL_BYTES = 20_000

both_ways = pytest.mark.parametrize("way", list(Way))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "directory"
    root.mkdir()
    for number in range(12):
        (root / f"f{number:02}").write_bytes(os.urandom(MIB))
    return root


@pytest.fixture
def archive(directory: Path, tmp_path: Path) -> Path:
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=0) as tar:
        tar.add(directory, arcname=".")
    return path


async def _again(
    server: ServerProcess, project: str, source: Path, *, way: Way = Way.THRIFTY
) -> tuple[Deployment, list[UploadProgress], int]:
    """Deploy twice; what came of the second time, what was told of it, and what went over the wire."""
    seen: list[UploadProgress] = []
    async with Client(server.address) as client:
        await client.deploy(source, project=project, way=way)
    async with cable_to(server.address) as cable, Client(cable.address) as client:
        again = await client.deploy(source, project=project, way=way, on_progress=seen.append)
        return again, seen, cable.sent_bytes


@both_ways
@pytest.mark.parametrize("kind", ["directory", "archive"])
async def test_a_directory_or_a_file_is_not_sent_again(
    server: ServerProcess, project: str, way: Way, kind: str, request: pytest.FixtureRequest
) -> None:
    source: Path = request.getfixturevalue(kind)
    again, seen, sent_bytes = await _again(server, project, source, way=way)
    assert sent_bytes < _A_CALL_BYTES
    assert [progress.phase for progress in seen] == [UploadPhase.ACCEPTED, UploadPhase.RECORDING]
    assert seen[-1].already_stored
    assert seen[-1].done_bytes == seen[-1].total_bytes == again.payload_size_bytes
    assert again.transfer is not None
    assert (again.transfer.received_bytes, again.transfer.reused_bytes) == (0, again.payload_size_bytes)


async def test_a_larger_one_costs_its_references(
    server: ServerProcess, project: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "HASHED_AHEAD_BYTES", _SIZE - 1)
    again, seen, sent_bytes = await _again(server, project, directory)
    assert UploadPhase.SENDING in {progress.phase for progress in seen}
    assert seen[-1].already_stored
    assert again.transfer is not None
    assert again.transfer.received_bytes == 0
    assert sent_bytes < _SIZE // 200 + _A_CALL_BYTES


@both_ways
async def test_a_sha256_that_the_caller_knows_is_declared(
    server: ServerProcess, project: str, way: Way
) -> None:
    data = os.urandom(_SIZE)

    async def once() -> AsyncIterator[bytes]:
        for begin in range(0, len(data), MIB):
            yield data[begin : begin + MIB]

    sha256 = hashlib.sha256(data).hexdigest()
    async with Client(server.address) as client:
        await client.deploy(once(), project=project, file_name="f", sha256=sha256, way=way)
    async with cable_to(server.address) as cable, Client(cable.address) as client:
        await client.deploy(once(), project=project, file_name="f", sha256=sha256, way=way)
        assert cable.sent_bytes < _A_CALL_BYTES


async def test_another_project_has_not_got_it(server: ServerProcess, project: str, archive: Path) -> None:
    async with Client(server.address) as client:
        await client.deploy(archive, project=project)
        other = await client.deploy(archive, project=f"{project}-other")
    assert other.transfer is not None
    assert (other.transfer.received_bytes > 0, other.transfer.reused_bytes) == (True, 0)


async def test_a_source_that_changes_after_it_was_hashed_is_told_so(
    client: Client, project: str, archive: Path
) -> None:
    def change(progress: UploadProgress) -> None:
        if progress.phase is UploadPhase.ACCEPTED:
            with archive.open("r+b") as file:
                file.write(b"other")

    with pytest.raises(errors.PayloadChanged, match="changed since its upload began"):
        await client.deploy(archive, project=project, on_progress=change)
    assert [release async for release in client.releases(project)] == []
    with pytest.raises(errors.PayloadMismatch):
        await client.deploy(archive, project=project, sha256="0" * 64)


def test_the_command_line_says_so(run: Run, project: str, directory: Path) -> None:
    run("deploy", directory, "-p", project)
    again = run("deploy", directory, "-p", project)
    lines = again.err.splitlines()
    assert lines[0].endswith(" accepted")
    assert lines[1] == "nothing sent: all 12.6 MB are stored already"
