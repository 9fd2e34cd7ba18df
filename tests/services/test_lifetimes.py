"""Nothing that the tests start outlives them, however they end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import folders
from tests.services.child import Account, Child, Command, StartError
from tests.services.etcd_cluster import EtcdCluster
from tests.services.folders import session_folder
from tests.services.minio_service import MinioService
from tests.services.ports import ReservedPort
from tests.services.postgres_service import PostgresService
from tests.services.test_services import wait_for

ROOT = Path(__file__).parents[2]

SERVICES_AND_A_LONG_WAIT = """
import pathlib, signal

def test_waits(services_folder, minio_service, etcd_cluster, postgres_service):
    pathlib.Path(__file__).with_name("ready").write_text(str(services_folder))
    signal.pause()
"""


def processes_in(folder: Path) -> set[int]:
    """Processes whose working folder is there: every service's, and PostgreSQL's own children."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.add(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc, and the kernel to end what is left behind")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_service_survives_pytest(
    number: signal.Signals,
    tmp_path: Path,
    minio_service: MinioService,
    etcd_cluster: EtcdCluster,
    postgres_service: PostgresService,
) -> None:
    (tmp_path / "test_inner.py").write_text(SERVICES_AND_A_LONG_WAIT)
    options = ["-p", "tests.services.fixtures", "-p", "no:cacheprovider", "-c", "/dev/null"]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    marker = tmp_path / "ready"
    wait_for(lambda: run.poll() is not None or (marker.exists() and marker.read_text() != ""))
    assert run.poll() is None, run.communicate()[0]
    folder = Path(marker.read_text())
    assert len(processes_in(folder)) > 5, "MinIO, three members, and PostgreSQL with its children"

    # To the whole group, as a terminal does.
    os.killpg(run.pid, number)
    output, _ = run.communicate(timeout=60)
    if number == signal.SIGINT:
        # In order: when pytest has ended, so has everything, and nothing is left.
        assert "KeyboardInterrupt" in output
        assert processes_in(folder) == set()
        assert not folder.exists()
    else:
        wait_for(lambda: processes_in(folder) == set())
        assert folder.exists()
        with session_folder(in_memory=True):
            assert not folder.exists(), "the next session clears up"


def test_a_session_leaves_the_folder_of_another_alone() -> None:
    with session_folder() as one:
        with session_folder() as other:
            assert one.exists()
            assert one != other
        assert one.exists()
    assert not one.exists()


def test_where_memory_is_short_services_store_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_SPARE_BYTES", 1 << 62)
    with session_folder() as on_disk, session_folder(in_memory=True) as other:
        assert other.parent == on_disk.parent


def test_what_the_dead_hold_of_the_memory_is_given_back_before_room_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = folders._root(tmp_path) / "1-dead"
    dead.mkdir(parents=True)
    (dead / folders._LOCK_NAME).touch()
    stood_when_asked = []

    def is_roomy(place: Path) -> bool:
        stood_when_asked.append((place, dead.exists()))
        return False

    monkeypatch.setattr(folders, "_MEMORY", tmp_path)
    monkeypatch.setattr(folders, "_is_roomy", is_roomy)
    with session_folder(in_memory=True) as on_disk:
        assert stood_when_asked == [(tmp_path, False)]
        assert not on_disk.is_relative_to(tmp_path)
    dead.mkdir()
    with session_folder():
        assert not dead.exists()


def python(folder: Path, text: str, account: Account | None = None) -> Child:
    return Child(Command("python", [sys.executable, "-c", text], folder, account=account))


def test_a_child_started_from_a_thread_that_ends_lives_on(tmp_path: Path) -> None:
    async def start() -> Child:
        return await asyncio.to_thread(python, tmp_path, "import signal; signal.pause()")

    child = asyncio.run(start())
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child._process.wait(0.3)
    finally:
        child.end_all()


def test_a_start_that_fails_shows_the_log(tmp_path: Path) -> None:
    child = python(tmp_path, "import sys; print('out of luck'); sys.exit('no such drive')")
    with pytest.raises(StartError, match="status 1") as failure:
        child.wait_until_ready(lambda: False)
    assert "out of luck" in str(failure.value)
    assert "no such drive" in str(failure.value)


def test_a_start_that_takes_too_long_fails(tmp_path: Path) -> None:
    child = python(tmp_path, "import signal; signal.pause()")
    try:
        with pytest.raises(StartError, match=r"not ready within 0.05 s"):
            child.wait_until_ready(lambda: False, deadline_s=0.05)
    finally:
        child.end_all()
    assert child.returncode == -signal.SIGKILL


def test_a_service_that_cannot_start_is_not_left_behind(
    services_folder: Path, minio_service: MinioService
) -> None:
    broken = MinioService(minio_service._program, services_folder / "broken")
    broken.data_dir.rmdir()
    broken.data_dir.write_text("a file is no drive")
    with pytest.raises(StartError, match="minio"), broken:
        pass
    assert not broken.running


def test_a_reserved_port_is_nobody_elses_and_free_for_a_service() -> None:
    with ReservedPort() as one, ReservedPort() as other:
        assert one.number != other.number
        assert one.number < 32_000
        assert one.address == f"127.0.0.1:{one.number}"
