"""What happens to signals when members of the cluster, its history or the lease behind them go away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from etcd3aio.watch import WatchFilter
from structlog.testing import capture_logs

from longshore_storage.coordination import open_coordination
from longshore_storage.coordination.etcd_channel import EtcdConnection
from longshore_storage.coordination.etcd_watch import Watch
from longshore_storage.errors import CoordinationUnavailable
from longshore_storage.ports import Coordination

from .backends import EtcdBackend, hears, signalled, until


def not_listening(logs: Sequence[Mapping[str, Any]], why: str) -> bool:
    """Whether it was told; on a busy machine a try that ran out of time may be told as well."""
    return any(
        entry["event"] == "coordination.not_listening" and why in entry["error"] for entry in tuple(logs)
    )


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


async def test_listening_leaves_a_member_that_hangs(etcd: EtcdBackend) -> None:
    """Its connection stays open and silent: only pings tell."""
    member = etcd.cluster.members[0]
    client = open_coordination(f"etcd://{member.endpoint}/{etcd.prefix}")
    with capture_logs() as logs:
        async with client.signals("deployment") as heard:
            await client.signal("deployment", "before")
            assert await anext(heard) == "before"
            member.pause()
            await until(lambda: not_listening(logs, "ping timeout"), within_s=60)
            await asyncio.to_thread(etcd.cluster.start)
            assert (await hears(client, heard, "after"))[0] == ""
    await client.close()


async def test_a_member_without_a_leader_is_no_use(etcd: EtcdBackend) -> None:
    member, *others = etcd.cluster.members
    client = open_coordination(f"etcd://{member.endpoint}/{etcd.prefix}")
    with capture_logs() as logs:
        async with client.signals("deployment") as heard:
            for other_member in others:
                other_member.kill()
            with pytest.raises(CoordinationUnavailable, match=f"{member.endpoint}: "):
                await client.signal("deployment", "in vain")
            await until(lambda: not_listening(logs, "no leader"), within_s=60)
            await asyncio.to_thread(etcd.cluster.start)
            assert "" in await hears(client, heard, "after")
    await client.close()


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
    await signalled(client, "d-1")
    etcd.revoke(etcd.lease_of("signals/deployment/d-1"))
    assert etcd.keys("signals/") == []
    await signalled(client, "d-2")
    await signalled(client, "d-3")
    assert etcd.lease_of("signals/deployment/d-2") == etcd.lease_of("signals/deployment/d-3")


async def test_signals_share_a_lease_and_go_with_their_client(
    etcd: EtcdBackend, client: Coordination
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(signalled(client, f"d-{number}"))
    assert len(etcd.keys("signals/")) == 40
    assert len({entry["lease"] for entry in etcd.entries("signals/")}) == 1
    await client.close()
    assert etcd.keys() == []
