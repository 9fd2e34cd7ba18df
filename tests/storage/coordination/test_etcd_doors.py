"""TLS, users and permissions: what opens the door, and what is said when it stays shut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from longshore_storage.coordination import open_coordination
from longshore_storage.errors import CoordinationUnavailable, Misconfigured
from longshore_storage.ports import Coordination, Member
from tests.services.certificates import Authority
from tests.services.etcd_cluster import EtcdCluster
from tests.services.etcd_tls_cluster import EtcdTlsCluster

from .backends import until

ONE = Member("11", "one", 1)

Opener = Callable[..., Coordination]


@pytest.fixture
async def opened(etcd_tls_cluster: EtcdTlsCluster) -> AsyncIterator[Opener]:
    """Opens a client with the cluster's own settings, but for what it is told."""
    etcd_tls_cluster.start()
    own: dict[str, Any] = {
        "scheme": "etcds",
        "hosts": etcd_tls_cluster.endpoints[0],
        "prefix": etcd_tls_cluster.prefix,
        "ca_file": etcd_tls_cluster.ca_file,
        "cert_file": etcd_tls_cluster.cert_file,
        "key_file": etcd_tls_cluster.key_file,
        "user": etcd_tls_cluster.user,
        "password": etcd_tls_cluster.password,
    }
    async with AsyncExitStack() as stack:

        def open_it(**other: object) -> Coordination:
            settings = {**own, **other}
            url = "{}://{}/{}".format(*(settings.pop(part) for part in ("scheme", "hosts", "prefix")))
            client = open_coordination(url, **settings, lease_ttl_s=2)
            stack.push_async_callback(client.close)
            return client

        yield open_it


def port_of(cluster: EtcdCluster) -> str:
    return cluster.endpoints[0].partition(":")[2]


async def use(client: Coordination) -> None:
    """Whatever a client can do."""
    await client.check()
    async with client.signals("deployment") as heard, client.membership(ONE):
        async with client.lock("web") as lock:
            assert lock.fence > 0
        await client.signal("deployment", "d-1")
        async with asyncio.timeout(5):
            assert await anext(heard) == "d-1"

        async def announced() -> bool:
            return list(await client.members()) == [ONE]

        await until(announced)


async def test_everything_works_behind_tls_with_a_user(opened: Opener) -> None:
    await use(opened())


async def test_members_by_name_and_by_address(opened: Opener, etcd_tls_cluster: EtcdTlsCluster) -> None:
    port = port_of(etcd_tls_cluster)
    for _ in range(4):  # in any order
        await opened(hosts=f"localhost:{port},127.0.0.1:{port},127.0.0.1:1").check()


async def test_tokens_that_are_refused_are_renewed(opened: Opener, etcd_tls_cluster: EtcdTlsCluster) -> None:
    """A member forgets the tokens it gave when it is restarted."""
    client = opened()
    async with client.membership(ONE), client.signals("deployment") as heard:
        await client.check()
        etcd_tls_cluster.members[0].kill()
        await asyncio.to_thread(etcd_tls_cluster.start)
        async with asyncio.timeout(10):
            assert await anext(heard) == ""
            await client.signal("deployment", "d-1")
            assert await anext(heard) == "d-1"
        await use(opened())
        await use(client)


async def refused(client: Coordination, *, match: str) -> None:
    """Whatever a client is asked for raises ``Misconfigured``; announcing and listening wait for better."""
    asked: list[Callable[[], Awaitable[object]]] = [
        client.check,
        client.members,
        lambda: client.signal("deployment", "d-1"),
        lambda: client.lock("web").__aenter__(),
    ]
    for ask in asked:
        with pytest.raises(Misconfigured, match=match):
            await ask()
    async with asyncio.timeout(5), client.membership(ONE):
        pass


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"password": "guess"}, "refuses user or password: check coordination.user"),
        ({"user": "nobody"}, "refuses user or password: check coordination.user"),
        ({"user": None, "password": None}, "client certificate's name. may not use this prefix"),
        ({"cert_file": None, "key_file": None}, "asks for a client certificate.*coordination.cert_file"),
        ({"ca_file": None}, "not signed by coordination.ca_file"),
        ({"prefix": "other"}, "may not use this prefix: grant a role"),
        ({"prefix": "tenan"}, "may not use this prefix"),
    ],
)
async def test_a_wrong_setting_is_named(opened: Opener, wrong: dict[str, str | None], match: str) -> None:
    await refused(opened(**wrong), match=match)


async def test_another_authority_is_not_trusted(opened: Opener, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    await refused(opened(ca_file=stranger.ca_file), match="not signed by coordination.ca_file")


async def test_a_foreign_client_certificate_is_refused(opened: Opener, tmp_path: Path) -> None:
    pair = Authority(tmp_path, "stranger").issue("client")
    client = opened(cert_file=pair.cert_file, key_file=pair.key_file)
    await refused(client, match="asks for a client certificate that its own CA signed")


async def test_a_host_that_the_certificate_does_not_name(
    opened: Opener, etcd_tls_cluster: EtcdTlsCluster
) -> None:
    # 0.0.0.0 leads to this machine too.
    client = opened(hosts=f"0.0.0.0:{port_of(etcd_tls_cluster)}")
    await refused(client, match="does not name this host")


async def test_one_wrong_member_is_passed_over(opened: Opener, etcd_tls_cluster: EtcdTlsCluster) -> None:
    port = port_of(etcd_tls_cluster)
    for _ in range(4):
        await opened(hosts=f"0.0.0.0:{port},127.0.0.1:{port}").check()


async def test_plain_text_and_tls_mixed_up(
    opened: Opener, etcd_tls_cluster: EtcdTlsCluster, etcd_cluster: EtcdCluster
) -> None:
    plain = opened(scheme="etcd", ca_file=None, cert_file=None, key_file=None)
    with pytest.raises(CoordinationUnavailable, match="if it speaks TLS, use etcds://"):
        await plain.check()
    with pytest.raises(CoordinationUnavailable, match="if it does not speak TLS, use etcd://"):
        await opened(hosts=etcd_cluster.endpoints[0]).check()


async def test_a_user_where_etcd_has_none(etcd_cluster: EtcdCluster, etcd_prefix: str) -> None:
    client = open_coordination(etcd_cluster.url(etcd_prefix), user="longshore", password="unused")
    await use(client)
    await client.close()
