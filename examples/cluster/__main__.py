"""``make cluster``: start a cluster, say what to do with it, and end it with Ctrl-C.

SIGUSR2 kills the node that drives a rollout, by SIGKILL, and says which; SIGUSR1 starts again what was
killed; SIGTERM and a closed terminal end it as Ctrl-C does.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
from pathlib import Path

from tests.services.binaries import ServiceMissingError
from tests.services.service import Service

from .cluster import Cluster, running_cluster
from .folder import ClusterError, cluster_folder
from .guide import show_guide
from .screen import Screen

_LOOK_EVERY_S = 0.2
_INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.cluster", description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        help="where the data is kept; the next start with it goes on (default: a temporary folder)",
    )
    given = parser.parse_args().folder
    screen = Screen()
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    # Unlike an event, this queue may be put into by a handler that interrupts its own `get`.
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda number, _: asked.put(number))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with cluster_folder(given) as folder:
            screen.title(f"Starting a cluster in {folder.path}")
            with running_cluster(folder, screen) as cluster:
                show_guide(cluster, screen)
                _look_after(cluster, screen, asked)
                screen.title("Stopping")
        screen.say(f"{folder.path} is kept" if folder.kept else f"{folder.path} is removed")
    except (ClusterError, ServiceMissingError) as error:
        screen.bad(str(error))
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _look_after(cluster: Cluster, screen: Screen, asked: queue.SimpleQueue[int]) -> None:
    """Tell what ends, and kill who drives or start again what is down when asked to, until interrupted."""
    try:
        while True:
            for part in cluster.newly_ended():
                screen.bad(f"{_told(part)}; start it again: kill -USR1 {os.getpid()}")
            try:
                number = asked.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            try:
                if number == signal.SIGUSR2:
                    node, what = cluster.driver()
                    screen.say(f"{node.name} drives {what}: it is killed now")
                    node.kill()
                    continue
                for part in cluster.start_again():
                    screen.say(f"{part.child.command.name} runs again, pid {part.child.pid}")
            except ClusterError as error:
                screen.bad(str(error))
    except KeyboardInterrupt:
        return


def _told(part: Service) -> str:
    child = part.child
    status = child.returncode or 0
    if status < 0:
        return f"{child.command.name} was ended by {signal.Signals(-status).name} (pid {child.pid})"
    return f"{child.command.name} ended with status {status}, its log: {child.command.stderr_path}"


if __name__ == "__main__":
    sys.exit(main())
