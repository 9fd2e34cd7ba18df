"""The watch of connections sees what it is there to see, also what ended between two looks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from .sockets import ConnectionWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")

CALL = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.recv(1)
"""


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_stranger_is_seen_while_connected_and_afterwards(family: socket.AddressFamily) -> None:
    """Called as a node would be that listens for IPv4 alone, or, as gRPC does, for both."""
    host = "127.0.0.1" if family == socket.AF_INET else "::ffff:127.0.0.1"
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        port = listener.getsockname()[1]
        caller = subprocess.Popen([sys.executable, "-c", CALL, str(port)])
        try:
            accepted, (_, caller_port, *_) = listener.accept()
            called = ConnectionWatch({os.getpid(): f"127.0.0.1:{port}"})
            calling = ConnectionWatch({caller.pid: "127.0.0.1:1"})
            called.look()
            calling.look()
            assert called.strangers(os.getpid()) == {f"127.0.0.1:{caller_port}"}
            assert calling.seen[caller.pid].connected_to == {f"127.0.0.1:{port}"}
            # Who ends it first is the one whose side is remembered.
            accepted.close()
            assert caller.wait() == 0
            later = ConnectionWatch({os.getpid(): f"127.0.0.1:{port}"})
            later.look()
            assert later.strangers(os.getpid()) == {f"127.0.0.1:{caller_port}"}
        finally:
            caller.kill()
            caller.wait()


def test_what_we_call_ourselves_is_no_stranger() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            watch = ConnectionWatch({1: f"127.0.0.1:{port}"})
            watch.look()
            assert watch.strangers(1) == set()
            assert len(watch.seen[1].callers) == 1
