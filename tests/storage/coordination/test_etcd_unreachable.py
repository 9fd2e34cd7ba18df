"""Addresses behind which there is no etcd: a clear error, and soon."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import grpc
import pytest

from longshore_storage.coordination import open_coordination
from longshore_storage.errors import CoordinationUnavailable, Misconfigured
from longshore_storage.ports import Member

from .backends import EtcdBackend

ONE = Member("11", "one", 1)


@pytest.fixture
def dead_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def silent_address() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        host, port = listener.getsockname()
        yield f"{host}:{port}"


async def test_nobody_there(dead_port: int) -> None:
    client = open_coordination(f"etcd://127.0.0.1:{dead_port},localhost:{dead_port}/x")
    started = time.monotonic()
    refusals: list[Callable[[], Awaitable[object]]] = [
        client.check,
        client.members,
        lambda: client.signal("deployment", "d-1"),
        lambda: client.lock("web").__aenter__(),
    ]
    for ask in refusals:
        with pytest.raises(CoordinationUnavailable, match=f"localhost:{dead_port}: "):
            await ask()
    async with client.membership(ONE), client.signals("deployment"):
        pass
    await client.close()
    assert time.monotonic() - started < 4


async def test_a_silent_member_costs_its_share_of_the_time(etcd: EtcdBackend, silent_address: str) -> None:
    alone = open_coordination(f"etcd://{silent_address}/x")
    started = time.monotonic()
    with pytest.raises(CoordinationUnavailable, match=rf"{silent_address}: no answer in time"):
        await alone.signal("deployment", "d-1")
    assert time.monotonic() - started < 1.5
    await alone.close()
    url = f"etcd://{silent_address},{etcd.cluster.endpoints[0]}/{etcd.prefix}"
    for _ in range(3):  # either may come first
        client = open_coordination(url)
        await client.signal("deployment", "d-1")
        await client.close()


async def test_something_else_there(unimplemented_address: str) -> None:
    client = open_coordination(f"etcd://{unimplemented_address}/x")
    with pytest.raises(Misconfigured, match="no etcd"):
        await client.check()
    await client.close()


@pytest.fixture
async def unimplemented_address() -> AsyncIterator[str]:
    """A gRPC server that is not etcd."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)
