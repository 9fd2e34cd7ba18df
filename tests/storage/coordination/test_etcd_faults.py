"""What happens to locks, members and signals when leases, members of the cluster or all data go away."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import grpc
import pytest
from etcd3aio.watch import WatchFilter

from longshore_storage.coordination import open_coordination
from longshore_storage.coordination.etcd_channel import EtcdConnection
from longshore_storage.coordination.etcd_watch import Watch
from longshore_storage.errors import CoordinationUnavailable, LockLost, Misconfigured
from longshore_storage.ports import Coordination, Member
from tests.services.etcd_cluster import EtcdCluster

from .backends import EtcdBackend, until

ONE = Member("11", "one", 1)


@pytest.fixture
async def client(etcd: EtcdBackend) -> AsyncIterator[Coordination]:
    client = etcd.client()
    yield client
    await client.close()


@pytest.fixture
async def other(etcd: EtcdBackend) -> AsyncIterator[Coordination]:
    client = etcd.client()
    yield client
    await client.close()


async def hold(client: Coordination, name: str, holding: asyncio.Event) -> None:
    async with client.lock(name):
        holding.set()
        await asyncio.Event().wait()


async def held(client: Coordination, name: str) -> asyncio.Task[None]:
    """A task that holds ``name`` until it loses it."""
    holding = asyncio.Event()
    task = asyncio.create_task(hold(client, name, holding))
    async with asyncio.timeout(15):
        await holding.wait()
    return task


async def announced(client: Coordination, *members: Member) -> None:
    async def seen() -> bool:
        with contextlib.suppress(CoordinationUnavailable):
            return list(await client.members()) == list(members)
        return False

    await until(seen)


async def hears(client: Coordination, heard: AsyncIterator[str], ident: str) -> list[str]:
    """Signal ``ident`` until it is heard; everything heard up to it."""
    idents: list[str] = []

    async def repeat() -> None:
        while True:
            with contextlib.suppress(CoordinationUnavailable):
                await client.signal("deployment", ident)
            await asyncio.sleep(0.2)

    repeating = asyncio.create_task(repeat())
    try:
        async with asyncio.timeout(20):
            while ident not in idents:
                idents.append(await anext(heard))
    finally:
        repeating.cancel()
        await asyncio.wait([repeating])
    return idents


async def test_a_lease_is_kept_alive(etcd: EtcdBackend, client: Coordination) -> None:
    ended = time.monotonic() + etcd.ttl_s * 1.5
    async with client.lock("long"), client.membership(ONE):
        await announced(client, ONE)
        lease = etcd.lease_of("nodes/11")
        await until(lambda: time.monotonic() > ended)
        assert etcd.queued("long") == 1
        assert etcd.lease_of("nodes/11") == lease


async def test_a_revoked_lease_ends_the_block_at_once(
    etcd: EtcdBackend, client: Coordination, other: Coordination
) -> None:
    task = await held(client, "web")
    waiter = asyncio.create_task(hold(other, "web", waiting := asyncio.Event()))
    await until(lambda: etcd.queued("web") == 2)
    started = time.monotonic()
    first = min(etcd.entries("locks/web/"), key=lambda entry: int(entry["create_revision"]))
    etcd.revoke(int(first["lease"]))
    with pytest.raises(LockLost, match="web"):
        await task
    assert time.monotonic() - started < 1
    async with asyncio.timeout(5):
        await waiting.wait()
    waiter.cancel()
    await asyncio.wait([waiter])


async def test_a_cluster_that_stops_answering_ends_the_block_before_the_lease_ends(
    etcd: EtcdBackend, client: Coordination, other: Coordination
) -> None:
    task = await held(client, "web")
    for member in etcd.cluster.members:
        member.pause()
    started = time.monotonic()
    with pytest.raises(LockLost):
        await task
    assert time.monotonic() - started < etcd.ttl_s
    await asyncio.to_thread(etcd.cluster.start)
    (await held(other, "web")).cancel()


async def test_cancelled_while_the_cluster_does_not_answer(etcd: EtcdBackend, client: Coordination) -> None:
    for member in etcd.cluster.members:
        member.pause()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), client.lock("web"):
            pytest.fail("locked")
    assert time.monotonic() - started < 1
    await asyncio.to_thread(etcd.cluster.start)
    await client.close()
    await until(lambda: not etcd.left_over())


@pytest.mark.parametrize("break_it", ["kill", "pause"])
async def test_any_member_may_go(etcd: EtcdBackend, break_it: str) -> None:
    client = open_coordination(etcd.cluster.url(etcd.prefix), lease_ttl_s=8)
    task = await held(client, "web")
    async with client.membership(ONE):
        await announced(client, ONE)
        for member in etcd.cluster.members:
            getattr(member, break_it)()
            await client.check()
            assert list(await client.members()) == [ONE]
            async with client.lock("another"):
                pass
            await asyncio.to_thread(etcd.cluster.start)
    assert not task.done()
    task.cancel()
    await client.close()


async def test_listening_survives_the_death_of_any_member(etcd: EtcdBackend, client: Coordination) -> None:
    async with client.signals("deployment") as heard:
        await client.signal("deployment", "before")
        assert await anext(heard) == "before"
        all_heard: list[str] = []
        for member in etcd.cluster.members:
            member.kill()
            all_heard += await hears(client, heard, member.name)
            await asyncio.to_thread(etcd.cluster.start)
        assert "" in all_heard


async def test_deleted_keys_come_back(etcd: EtcdBackend, client: Coordination, other: Coordination) -> None:
    task = await held(client, "web")
    waiter = asyncio.create_task(hold(other, "web", waiting := asyncio.Event()))
    await until(lambda: etcd.queued("web") == 2)
    async with client.membership(ONE):
        await announced(client, ONE)
        etcd.wipe()
        with pytest.raises(LockLost):
            await task
        async with asyncio.timeout(10):
            await waiting.wait()
        await announced(other, ONE)
    await announced(other)
    waiter.cancel()
    await asyncio.wait([waiter])
    assert etcd.keys("locks/") == []


async def test_a_cluster_that_lost_everything(
    etcd: EtcdBackend, client: Coordination, other: Coordination
) -> None:
    async def insist(holding: asyncio.Event) -> None:
        while True:
            try:
                await hold(other, "web", holding)
            except CoordinationUnavailable:
                await asyncio.sleep(0.1)

    task = await held(client, "web")
    waiter = asyncio.create_task(insist(waiting := asyncio.Event()))
    await until(lambda: etcd.queued("web") == 2)
    async with client.membership(ONE), client.signals("deployment") as heard:
        await announced(client, ONE)
        await asyncio.to_thread(etcd.cluster.lose_data)
        with pytest.raises(LockLost):
            await task
        await announced(other, ONE)
        assert (await hears(other, heard, "d-1"))[0] == ""
        async with asyncio.timeout(15):
            await waiting.wait()
    waiter.cancel()
    await asyncio.wait([waiter])


async def test_signals_go_on_after_a_compaction(etcd: EtcdBackend, client: Coordination) -> None:
    async with client.signals("deployment") as heard:
        for number in range(3):
            await client.signal("deployment", f"d-{number}")
            etcd.compact()
            assert await anext(heard) == f"d-{number}"


async def test_a_watch_of_what_was_compacted_fails_instead_of_skipping(etcd: EtcdBackend) -> None:
    connection = EtcdConnection(etcd.cluster.endpoints)
    etcd.compact()
    key = f"{etcd.prefix}/locks/web/1"
    with pytest.raises(CoordinationUnavailable, match="compacted up to revision"):
        async with await Watch.open(connection, key, start_revision=1, ignore=WatchFilter.NOPUT) as watch:
            await watch.changed_keys()
    await connection.close()


async def test_a_signals_lease_that_is_gone_is_replaced(etcd: EtcdBackend, client: Coordination) -> None:
    await client.signal("deployment", "d-1")
    etcd.revoke(etcd.lease_of("signals/deployment/d-1"))
    assert etcd.keys("signals/") == []
    await client.signal("deployment", "d-2")
    await client.signal("deployment", "d-3")
    assert etcd.lease_of("signals/deployment/d-2") == etcd.lease_of("signals/deployment/d-3")


async def test_signals_share_a_lease_and_go_with_their_client(
    etcd: EtcdBackend, client: Coordination
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(client.signal("deployment", f"d-{number}"))
    assert len(etcd.keys("signals/")) == 40
    assert len({entry["lease"] for entry in etcd.entries("signals/")}) == 1
    await client.close()
    assert etcd.keys() == []


async def test_an_idle_node_asks_little(etcd: EtcdBackend, client: Coordination) -> None:
    """Everything scales with the lease: n requests per lease time are n / 15 per second by default."""
    async with client.membership(ONE), client.signals("deployment"):
        await announced(client, ONE)
        ended = time.monotonic() + 2 * etcd.ttl_s
        before = requests(etcd.cluster)
        await until(lambda: time.monotonic() > ended)
        per_second_by_default = (requests(etcd.cluster) - before) / 2 / 15
    assert 0.1 < per_second_by_default < 0.5


def requests(cluster: EtcdCluster) -> int:
    """How many calls clients made so far; renewing a lease is one."""
    total = 0
    for member in cluster.members:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{member.url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for line in re.findall(r"^grpc_server_started_total\{.*\} (\S+)$", text, re.MULTILINE):
            total += int(float(line))
    return total


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
