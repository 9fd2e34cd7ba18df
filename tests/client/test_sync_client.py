"""The client without an event loop: the same calls, ordinary iterators, Ctrl-C that cleans up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_client import DeploymentStatus, Event, SyncClient, Way, errors, new_deployment_id
from tests.services.processes import ServerProcess


@pytest.fixture
def sync_client(server: ServerProcess) -> Iterator[SyncClient]:
    with SyncClient(server.address) as opened:
        yield opened
    assert not [t.name for t in threading.enumerate() if t.name.startswith("longshore-")]


def test_a_walk(sync_client: SyncClient, project: str, tree: Path, tmp_path: Path) -> None:
    first = sync_client.deploy(tree, project=project)
    sequences = [u.sequence for u in sync_client.follow(first.deployment_id) if isinstance(u, Event)]
    assert sequences == list(range(1, len(sequences) + 1))
    assert sync_client.get(first.deployment_id).status is DeploymentStatus.SUCCEEDED

    second = sync_client.deploy(
        (bytes([n]) * 100_000 for n in range(5)), project=project, file_name="data", way=Way.PLAIN
    )
    assert sync_client.wait(second.deployment_id).live
    back = sync_client.rollback(project)
    assert back is not None
    assert sync_client.wait(back.deployment_id).version == "1.0.0"
    again = sync_client.deploy_release(project, "1.0.1")
    assert sync_client.wait(again.deployment_id).live

    listed = list(sync_client.list(project=project))
    assert len(listed) == 4
    assert next(sync_client.list(project=project, limit=1)) == listed[0]
    assert [release.version for release in sync_client.releases(project)] == ["1.0.1", "1.0.0"]
    assert sync_client.release(project, "1.0.0").entries > 0
    assert sync_client.project(project).environments[0].live_version == "1.0.1"
    assert project in [each.project for each in sync_client.projects()]
    assert [each.node_name for each in sync_client.activations(first.deployment_id)]
    assert [each.project for each in sync_client.audit(project=project, limit=1)] == [project]
    assert [node.node_id for node in sync_client.nodes()] == [sync_client.server_info().node_id]
    download = sync_client.download(project, "1.0.1", tmp_path / "copy")
    assert download.path.read_bytes() == b"".join(sync_client.read_payload(project, "1.0.1"))


def test_errors_come_through_and_the_client_goes_on(sync_client: SyncClient) -> None:
    with pytest.raises(errors.DeploymentNotFound):
        sync_client.get(new_deployment_id())
    assert sync_client.server_info().server_version


def test_an_error_of_the_callers_iterable_is_the_callers(sync_client: SyncClient, project: str) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sync_client.deploy(broken(), project=project, file_name="f")


def test_many_threads_may_use_one_client(sync_client: SyncClient) -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(sync_client.server_info().node_id)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_ctrl_c_cancels_what_is_waited_for(sync_client: SyncClient) -> None:
    interrupter = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupter.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(sync_client.follow(new_deployment_id(), wait_for_creation_s=60))
    assert time.monotonic() - began < 20
    interrupter.join()
    assert sync_client.server_info().node_id


def test_closing_twice_is_harmless(server: ServerProcess) -> None:
    client = SyncClient(server.address)
    client.close()
    client.close()
