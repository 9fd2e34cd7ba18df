"""Runs an act on a data folder again and again, killed by SIGKILL one step later each time.

Makes ``ROOT/0``, ``ROOT/1``, … until an act gets to its end. A step is any call that changes the disk or
makes it durable; the act dies just before it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from longshore_server.disk import DataFolder, InstalledTrees, LiveLinks
from tests.server.disk.places import finalise, go_live, install, stage

STEPS = (
    "chmod",
    "fsync",
    "ftruncate",
    "mkdir",
    "open",
    "pwrite",
    "rename",
    "replace",
    "rmdir",
    "scandir",
    "symlink",
    "unlink",
    "utime",
)

Arm = Callable[[], None]


def first_start(place: Path, arm: Arm) -> None:
    arm()
    with DataFolder.open(place):
        pass


def installation(place: Path, arm: Arm) -> None:
    with DataFolder.open(place) as folder:
        staged = stage(folder)
        arm()
        finalise(InstalledTrees(folder), staged, with_chunks=True)


def removal(place: Path, arm: Arm) -> None:
    with DataFolder.open(place) as folder:
        trees = InstalledTrees(folder)
        tree = install(trees, folder, with_chunks=True)
        arm()
        trees.remove(tree)


def first_switch(place: Path, arm: Arm) -> None:
    with DataFolder.open(place) as folder:
        tree = install(InstalledTrees(folder), folder)
        arm()
        go_live(folder, tree)


def switch(place: Path, arm: Arm) -> None:
    with DataFolder.open(place) as folder:
        trees = InstalledTrees(folder)
        go_live(folder, install(trees, folder))
        tree = install(trees, folder, "2.0.0")
        arm()
        go_live(folder, tree, 2)


def undeploy(place: Path, arm: Arm) -> None:
    with DataFolder.open(place) as folder:
        go_live(folder, install(InstalledTrees(folder), folder))
        arm()
        LiveLinks(folder).switch("p", generation=2, version=None, target=None, deployment_id=None)


SCENARIOS: dict[str, Callable[[Path, Arm], None]] = {
    scenario.__name__: scenario
    for scenario in (first_start, installation, removal, first_switch, switch, undeploy)
}


def die_before(step: int) -> None:
    """From now on let ``step`` steps pass and die before the next one."""
    left = count(step, -1)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **options: Any) -> Any:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return stepped

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))


def main(scenario: str, root: Path) -> None:
    for step in count():
        place = root / f"{step}"
        child = os.fork()
        if child == 0:
            SCENARIOS[scenario](place, partial(die_before, step))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"step {step} of {scenario} ended with {status}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
