"""What happens to locks, members and signals when leases, members of the cluster or all data go away."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time
import urllib.request

import pytest

from longshore_storage.coordination import open_coordination
from longshore_storage.errors import CoordinationUnavailable, LockLost
from longshore_storage.ports import Coordination, Member
from tests.services.etcd_cluster import EtcdCluster, encoded

from .backends import EtcdBackend, hears, until

ONE = Member("11", "one", 1)


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


async def answered(client: Coordination) -> None:
    """Wait until a member answers: one that was refused before is tried again after a second at most."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await client.check()
            except CoordinationUnavailable:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("break_it", ["kill", "pause"])
async def test_any_member_may_go(etcd: EtcdBackend, break_it: str) -> None:
    client = open_coordination(etcd.cluster.url(etcd.prefix), lease_ttl_s=8)
    task = await held(client, "web")
    async with client.membership(ONE):
        await announced(client, ONE)
        for member in etcd.cluster.members:
            getattr(member, break_it)()
            await answered(client)
            assert list(await client.members()) == [ONE]
            async with client.lock("another"):
                pass
            await asyncio.to_thread(etcd.cluster.start)
    assert not task.done()
    task.cancel()
    await client.close()


async def test_a_process_that_slept_has_lost_its_lock(etcd: EtcdBackend, client: Coordination) -> None:
    task = await held(client, "web")
    time.sleep(etcd.ttl_s * 0.95)  # noqa: ASYNC251 - as a stopped process does
    with pytest.raises(LockLost):
        await task


async def test_a_member_that_cannot_be_read_hides_no_other(etcd: EtcdBackend, client: Coordination) -> None:
    for key, value in {"00": "nonsense", "12": "[]", "13": '{"name": "x"}', "14": "\xff"}.items():
        raw = base64.b64encode(value.encode("latin-1")).decode()
        etcd.call("kv/put", {"key": encoded(f"{etcd.prefix}/nodes/{key}"), "value": raw})
    async with client.membership(ONE):
        await announced(client, ONE)


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
