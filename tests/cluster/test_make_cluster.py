"""``make cluster`` as a person uses it: what it shows is copied into a shell, and does what it says."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from longshore_client import DeploymentStatus, SyncClient
from tests.services.child import Child, Command
from tests.services.test_lifetimes import processes_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc what is left")

ROOT = Path(__file__).parents[2]
_DEADLINE_S = 90
_NODE = re.compile(r"^ +(node\d) +(127\.0\.0\.1:\d+) +pid (\d+)", re.MULTILINE)
# All but what says where the services' programs are.
_OURS = re.compile("LONGSHORE_(?!TEST_)")


class Started:
    """A cluster that was started; what it has written is read as a person reads it."""

    def __init__(self, child: Child, here: Path) -> None:
        self._child = child
        self._here = here

    @property
    def written(self) -> str:
        return self._child.stdout()

    @property
    def nodes(self) -> dict[str, tuple[str, int]]:
        """By name where each listens, and its process."""
        return {name: (address, int(pid)) for name, address, pid in _NODE.findall(self.written)}

    def wait_for(self, words: str) -> None:
        """Wait until it has written ``words``."""
        wait_until(lambda: words in self.written or not self._child.running)
        if words not in self.written:
            self._fail_or_skip()

    def _fail_or_skip(self) -> None:
        if " is missing (" in self.written and os.environ.get("LONGSHORE_REQUIRE_SERVICES") != "1":
            pytest.skip(self.written.strip().splitlines()[-1])
        pytest.fail(self._child.log_tail())

    def shown(self, name: str) -> list[str]:
        """The command that is shown beside ``name``."""
        found = re.search(rf"^ +{name} +(\S.*)$", self.written, re.MULTILINE)
        assert found is not None, self.written
        return shlex.split(found[1])

    def run(self, name: str, *more: str) -> str:
        """Run what is shown, and give back what it printed."""
        done = subprocess.run([*self.shown(name), *more], cwd=self._here, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ended(self) -> tuple[int | None, list[str]]:
        """Wait until it has ended: its status, and the lines that it has written."""
        wait_until(lambda: not self._child.running)
        return self._child.returncode, [line for line in self.written.splitlines() if line]

    def end(self, number: signal.Signals) -> int | None:
        """End it by a signal; its status."""
        self._child.send(number)
        return self.ended()[0]


@contextmanager
def start(here: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Start it in ``here``, as from a shell of somebody who has set nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    child = Child(
        Command(
            name="cluster",
            argv=[sys.executable, "-m", "examples.cluster", *arguments],
            folder=here,
            env={**kept, "PYTHONPATH": str(ROOT), **(env or {})},
            death_signal=signal.SIGTERM,
        )
    )
    try:
        yield Started(child, here)
    finally:
        child.end_all()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def driver(address: str) -> str:
    """The name of the node that drives a rollout; empty while nobody does."""
    with SyncClient(address) as client:
        return next((lock.node_name for lock in client.locks() if lock.project), "")


def test_a_rollout_outlives_its_driver_and_a_later_start_goes_on(
    tmp_path: Path, services_folder: Path
) -> None:
    docs, folder = tmp_path / "docs", services_folder / "make-cluster"
    docs.mkdir()
    (docs / "index.md").write_text("one")
    with start(tmp_path, "--folder", str(folder)) as cluster:
        cluster.wait_for("Ctrl-C")
        assert list(cluster.nodes) == ["node1", "node2", "node3"]
        cluster.run("kill driver")
        cluster.wait_for("no node drives a rollout")
        cluster.run("hold")
        deployment_id = cluster.run("deploy", "--detach", "--quiet").strip()
        address = cluster.nodes["node2"][0]
        wait_until(lambda: driver(address) != "")
        killed = driver(address)
        others = {name: place for name, (place, _) in cluster.nodes.items() if name != killed}
        follow = [word if word != "ID" else deployment_id for word in cluster.shown("follow")]
        with subprocess.Popen(
            [*follow, "--plain"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as follower:
            cluster.run("kill driver")
            cluster.wait_for(f"{killed} drives docs in default: it is killed now")
            cluster.wait_for(f"{killed} was ended by SIGKILL")
            wait_until(lambda: driver(next(iter(others.values()))) in others)
            cluster.run("start again")
            cluster.wait_for(f"{killed} runs again")
            cluster.run("let go")
            said, _ = follower.communicate(timeout=_DEADLINE_S)
            assert follower.returncode == 0, said
            assert "docs 1.0.0 is live in default on 3 nodes" in said
        assert cluster.run("nodes", "--quiet").split() == ["node1", "node2", "node3"]
        assert cluster.end(signal.SIGINT) == 0
        assert processes_in(folder) == set()
        assert str(folder) in cluster.written.splitlines()[-1]

    with start(tmp_path, "--folder", str(folder)) as cluster:
        cluster.wait_for("Ctrl-C")
        with SyncClient(cluster.nodes["node3"][0]) as client:
            assert client.get(deployment_id).status == DeploymentStatus.SUCCEEDED
        (docs / "index.md").write_text("two")
        assert "docs 1.0.1 is live in default on 3 nodes" in cluster.run("deploy")
        assert {(folder / name / "live/docs/index.md").read_text() for name in cluster.nodes} == {"two"}
        assert cluster.end(signal.SIGTERM) == 0
        assert processes_in(folder) == set()


def test_what_is_missing_is_told_in_a_line_and_nothing_is_left(tmp_path: Path) -> None:
    with start(tmp_path, env={"LONGSHORE_TEST_MINIO": "/nowhere/minio"}) as cluster:
        status, lines = cluster.ended()
    assert status == 1
    told = "  ✗ LONGSHORE_TEST_MINIO=/nowhere/minio is no usable MinIO: correct or unset it"
    assert [told] == lines[1:]
    assert not Path(lines[0].rpartition(" ")[2]).exists()


def test_a_folder_that_somebody_else_has_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    lock_path = folder / "cluster.lock"
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with start(tmp_path, "--folder", str(folder)) as cluster:
            told = f"  ✗ another cluster runs in {folder}: end it, or name another folder"
            assert cluster.ended() == (1, [told])
    lock_path.rename(folder / "letters")
    with start(tmp_path, "--folder", str(folder)) as cluster:
        told = f"  ✗ {folder} holds something else: name a new folder, or an empty one"
        assert cluster.ended() == (1, [told])
    assert [path.name for path in folder.iterdir()] == ["letters"]
