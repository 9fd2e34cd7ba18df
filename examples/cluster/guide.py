"""What there is to do with a cluster that runs: a line for each thing, to be copied into another terminal."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from .cluster import WANTED_PORTS, Cluster
from .screen import Screen
from .services import LONGSHORE, NodeService

_SOMETHING = "docs"


def show_guide(cluster: Cluster, screen: Screen) -> None:
    """The nodes, and how to deploy, follow, look, hold, kill who drives, start again and stop."""
    addresses = [node.address for node in cluster.nodes]
    # Each through a node of its own, and through the next one when that is the one that is killed.
    first, second, third = (
        f"--server {one},{other}" for one, other in zip(addresses, addresses[1:] + addresses[:1], strict=True)
    )
    longshore = _program()
    what = f"{_SOMETHING} -p {_SOMETHING}"
    hold = _short(cluster.folder.hold)
    screen.title("Three nodes are up")
    screen.table([(node.name, _node(node)) for node in cluster.nodes])
    screen.title("In another terminal, from this folder (deploy tells the ID)")
    screen.table(
        [
            ("deploy", f"{longshore} {first} deploy {what} --max-failed 1"),
            ("follow", f"{longshore} {second} watch ID"),
            ("nodes", f"{longshore} {third} nodes"),
            ("who drives", f"{longshore} {third} locks"),
            ("logs", f"tail -F {_short(cluster.folder.logs)}/*.err"),
            ("hold", f"touch {hold}"),
            ("let go", f"rm {hold}"),
            ("kill driver", f"kill -USR2 {os.getpid()}"),
            ("start again", f"kill -USR1 {os.getpid()}"),
        ]
    )
    screen.title("Ctrl-C here ends all of it")


def _node(node: NodeService) -> str:
    wanted = WANTED_PORTS[node.name]
    remark = "" if node.port == wanted else f"  ({wanted} is taken)"
    return f"{node.address:<15}  pid {node.child.pid}{remark}"


def _program() -> str:
    return LONGSHORE.name if shutil.which(LONGSHORE.name) == str(LONGSHORE) else _short(LONGSHORE)


def _short(path: Path) -> str:
    """The shortest name that a shell in this folder understands."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
