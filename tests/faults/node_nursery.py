"""Starts nodes in an instant: imports the program once, then forks a process for every node asked for.

Run as a script: ``node_nursery.py SOCKET``. A connection to the Unix socket is one node: a line of JSON
``{"argv": [...], "env": {...}, "stdout": PATH, "stderr": PATH, "data_dir": PATH, "crash": SCHEDULE or "",
"driving": SCHEDULE or "", "compare_every_s": SECONDS or null, "small_packs": BOOL, "revisions": PATH or "",
"uid": N or null}`` starts it, the lines ``pid N`` and ``status N`` come back (negative for a signal), and
closing the connection kills it. A node is what ``longshore`` is, with nothing changed unless there is a
schedule (see ``crashing`` and ``driving``), small pack files are asked for, how often it compares what it
obeyed with the database, or a folder with the database's revisions that the next version will have.
Single-threaded until the fork, for only then a fork is sound.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

# What a node imports late is imported here, so that no node has to.
import aiosqlite  # noqa: F401
import alembic.command  # noqa: F401
import psycopg  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: F401

import longshore_server.agent.converging
import longshore_server.commands
import longshore_server.node
from longshore_client.cli import main as longshore
from longshore_storage.catalogue import revisions
from tests.faults import crashing, driving

_POLL_S = 0.01


def main(path: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _keep(connection)
        connection.close()


def _keep(connection: socket.socket) -> NoReturn:
    """Start the node, tell how it ends, and end it when nobody listens any more."""
    wish = json.loads(connection.makefile().readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become_node(wish)
    connection.sendall(b"pid %d\n" % pid)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            connection.sendall(b"status %d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
        if select.select([connection], [], [], _POLL_S)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os._exit(0)


def _become_node(wish: dict[str, Any]) -> NoReturn:
    os.setsid()
    for path, number in ((wish["stdout"], 1), (wish["stderr"], 2)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.update(wish["env"])
    if wish["uid"] is not None:
        os.setuid(wish["uid"])
    sys.argv = ["longshore", *wish["argv"]]
    if wish["small_packs"]:
        crashing.make_packs_small()
    if wish["crash"]:
        at_once = wish["argv"][0] == "admin"
        crashing.install(wish["crash"], Path(wish["data_dir"]), at_once=at_once)
    if wish["driving"]:
        driving.install(wish["driving"])
    if wish["compare_every_s"] is not None:
        setattr(longshore_server.agent.converging, "_COMPARE_EVERY_S", wish["compare_every_s"])  # noqa: B010
    if wish["revisions"]:
        setattr(revisions, "FOLDERS", (*revisions.FOLDERS, Path(wish["revisions"])))  # noqa: B010
    longshore()
    raise AssertionError("the program ends by SystemExit")


if __name__ == "__main__":
    main(sys.argv[1])
