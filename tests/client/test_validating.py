"""Payloads that are only examined, what was found in others, and what is kept, by the library."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_pb2 import Deployment
from longshore_client import (
    CallPolicy,
    Client,
    Default,
    Retention,
    Severity,
    SyncClient,
    Terms,
    UploadPhase,
    UploadProgress,
    Way,
    errors,
    new_deployment_id,
)
from longshore_client.uploading import _check_recorded
from tests.services.processes import ServerProcess


@pytest.fixture
def escaping(tmp_path: Path) -> Path:
    """An archive with 70 entries that want to be outside of it."""
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(70):
            tar.addfile(tarfile.TarInfo(f"../{number}"), io.BytesIO())
    return path


@pytest.mark.parametrize("way", Way)
async def test_a_directory_is_examined_and_nothing_stays(
    client: Client, project: str, tree: Path, way: Way
) -> None:
    told: list[UploadProgress] = []
    validation = await client.validate(tree, project=project, way=way, on_progress=told.append)
    assert (validation.valid, validation.version, validation.findings) == (True, "1.0.0", ())
    assert told[-1].phase is UploadPhase.RECORDING
    assert [each async for each in client.list(project=project)] == []
    with pytest.raises(errors.ProjectNotFound):
        await client.project(project)
    recorded = await client.deploy(tree, project=project)
    assert recorded.content_sha256 == validation.content_sha256
    assert (await client.validate(tree, project=project, version="1.0.0")).valid


async def test_bytes_from_an_iterator(client: Client, project: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            yield bytes([number]) * 100_000

    validation = await client.validate(pieces(), project=project, file_name="data.bin")
    assert (validation.valid, validation.payload_size_bytes, validation.entries) == (True, 500_000, 1)


async def test_what_refuses_it_is_told_not_raised(client: Client, project: str, escaping: Path) -> None:
    validation = await client.validate(escaping, project=project)
    assert (validation.valid, validation.version, validation.total_findings) == (False, "", 70)
    assert {(each.code, each.severity) for each in validation.findings} == {("PATH_ESCAPES", Severity.ERROR)}
    with pytest.raises(errors.EnvironmentNotFound):
        await client.validate(escaping, project=project, environment="nowhere")
    with pytest.raises(ValueError, match="not both"):
        await client.validate(escaping, project=project, version="1.0.0", bump="minor")  # type: ignore[arg-type]


async def test_terms_are_looked_at(client: Client, project: str, tree: Path) -> None:
    with pytest.raises(errors.LiveChanged):
        await client.validate(tree, project=project, terms=Terms(expected_live=new_deployment_id()))
    assert (await client.validate(tree, project=project, terms=Terms(expected_live=""))).valid


def test_what_changed_while_it_was_sent() -> None:
    """Nothing was recorded that could be taken back."""
    told = pb.Validation(payload_sha256="a" * 64)
    with pytest.raises(errors.PayloadChanged, match=r"^what was examined has .* examine it again"):
        _check_recorded(pb.DeployResponse(validation=told), "b" * 64)
    recorded = Deployment(deployment_id="d1", payload_sha256="a" * 64)
    with pytest.raises(errors.PayloadChanged, match=r"^deployment d1 recorded .* take the deployment back"):
        _check_recorded(pb.DeployResponse(deployment=recorded), "b" * 64)
    _check_recorded(pb.DeployResponse(deployment=recorded), "a" * 64)


async def test_all_findings_of_a_deployment(client: Client, project: str, escaping: Path) -> None:
    deployment_id = new_deployment_id()
    with pytest.raises(errors.PayloadRefused) as refused:
        await client.deploy(escaping, project=project, deployment_id=deployment_id)
    assert (len(refused.value.findings), refused.value.total_findings) == (20, 70)
    found = [each async for each in client.findings(deployment_id)]
    assert len({each.path for each in found}) == 70
    assert found[:20] == list(refused.value.findings)
    with pytest.raises(errors.DeploymentNotFound):
        await anext(client.findings(new_deployment_id()))


async def test_what_is_kept_for_an_environment(client: Client, project: str, tree: Path) -> None:
    await client.wait((await client.deploy(tree, project=project)).deployment_id)
    asked = Retention(keep_releases=3, max_age=timedelta(days=30))
    kept = await client.keep(project, retention=asked, rollback_targets=2)
    assert (kept.retention, kept.kept_rollback_targets) == (asked, 2)
    kept = await client.keep(project, rollback_targets=Default.SERVERS, etag=kept.etag)
    assert (kept.retention, kept.kept_rollback_targets) == (asked, None)
    with pytest.raises(errors.SettingsChanged):
        await client.keep(project, retention=Retention(), etag="0")
    kept = await client.keep(project, retention=Retention())
    assert kept.retention == Retention()
    assert (await client.project(project)).environments == (kept,)
    with pytest.raises(ValueError, match="what is to be set"):
        await client.keep(project)
    with pytest.raises(errors.InvalidRequest):
        await client.keep(project, rollback_targets=-1)


def test_without_an_event_loop(server: ServerProcess, project: str, tree: Path, escaping: Path) -> None:
    with SyncClient(server.address, policy=CallPolicy(timeout_s=10)) as client:
        assert client.validate(tree, project=project, terms=Terms(expected_live="")).valid
        assert client.validate((b"x" * 1000 for _ in range(3)), project=project, file_name="x").valid
        deployment_id = new_deployment_id()
        with pytest.raises(errors.PayloadRefused):
            client.deploy(escaping, project=project, deployment_id=deployment_id)
        assert len(list(client.findings(deployment_id, limit=60))) == 60
        client.wait(client.deploy(tree, project=project).deployment_id)
        assert client.keep(project, rollback_targets=7).kept_rollback_targets == 7
        assert project not in [lock.project for lock in client.locks()]


@pytest.mark.parametrize(
    "values",
    [
        {"timeout_s": 0},
        {"rounds": 0},
        {"transfer_rounds": 0},
        {"first_wait_s": -1},
        {"patience_s": float("nan")},
    ],
)
def test_a_policy_that_cannot_be(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        CallPolicy(**values)  # type: ignore[arg-type]
