"""The relay counts every byte once, what was under way when it is cut too."""

from __future__ import annotations

import socket
import threading

import pytest

from benchmarks.relay import relay_to


@pytest.fixture
def server() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def connected(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_both_ways_are_counted(server: socket.socket) -> None:
    with server, relay_to("{}:{}".format(*server.getsockname())) as relay, connected(relay.address) as client:
        behind, _ = server.accept()
        with behind:
            client.sendall(b"x" * 100_000)
            client.shutdown(socket.SHUT_WR)
            assert len(behind.makefile("rb").read()) == 100_000
            behind.sendall(b"y" * 7)
            behind.shutdown(socket.SHUT_WR)
            assert client.makefile("rb").read() == b"y" * 7
        assert (relay.sent_bytes, relay.received_bytes, relay.connections) == (100_000, 7, 1)


def test_a_cut_breaks_both_sides_once(server: socket.socket) -> None:
    """The server reads nothing, so most of what was sent is still under way."""
    with server, relay_to("{}:{}".format(*server.getsockname())) as relay:
        relay.cut_at(50_000)
        with connected(relay.address) as client:
            sending = threading.Thread(target=send_until_broken, args=(client,))
            sending.start()
            behind, _ = server.accept()
            with behind:
                sending.join(20)
                assert not sending.is_alive()
                with pytest.raises(ConnectionError):
                    while behind.recv(1 << 20):
                        pass
        assert relay.sent_bytes >= 50_000
        with connected(relay.address) as client:
            behind, _ = server.accept()
            with behind:
                client.sendall(b"x" * 100_000)
                client.shutdown(socket.SHUT_WR)
                assert len(behind.makefile("rb").read()) == 100_000


def send_until_broken(client: socket.socket) -> None:
    try:
        while True:
            client.sendall(b"x" * 10_000)
    except ConnectionError:
        pass
