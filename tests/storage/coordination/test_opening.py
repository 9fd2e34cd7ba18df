"""Settings that are wrong before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_storage.coordination import EtcdCoordination, LocalCoordination, open_coordination
from longshore_storage.errors import Misconfigured
from tests.services.certificates import Authority


async def test_local() -> None:
    assert isinstance(open_coordination("local://"), LocalCoordination)


@pytest.mark.parametrize(
    "url",
    [
        "etcd://127.0.0.1",
        "etcd://h",
        "etcd://h/",
        "etcd://h:1/p",
        "etcd://a:1,b.c-d_e:2,[::1]:3,[fe80::1]/teams/longshore/",
        "etcds://a:1,b:2,127.0.0.1:3/longshore.v1",
    ],
)
async def test_good_urls(url: str) -> None:
    client = open_coordination(url)
    assert isinstance(client, EtcdCoordination)
    await client.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "local",
        "local://x",
        "etcd",
        "etcd://",
        "etcd:///p",
        "http://h:1/p",
        "etcd://h:/p",
        "etcd://h:0/p",
        "etcd://h:65536/p",
        "etcd://h:x/p",
        "etcd://a,,b/p",
        "etcd://a b/p",
        "etcd://h/a//b",
        "etcd://h/p?x=1",
        "etcd://[::1/p",
        "etcd://::1/p",
        "etcd://h:1/p q",
    ],
)
async def test_bad_urls(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"^coordination\.url: "):
        open_coordination(url)


async def test_a_secret_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(Misconfigured, match="settings of their own") as raised:
        open_coordination("etcd://root:hunter2@h:1/p")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "settings", "named"),
    [
        ("local://", {"user": "u", "password": "p"}, "coordination.user, coordination.password: not used"),
        ("local://", {"ca_file": "ca.pem"}, "coordination.ca_file: not used with local://"),
        ("etcd://h/p", {"ca_file": "ca.pem"}, "coordination.ca_file: not used with etcd://"),
        ("etcd://h/p", {"user": "u"}, "coordination.user and coordination.password: set both"),
        ("etcd://h/p", {"password": "p"}, "coordination.user and coordination.password: set both"),
        ("etcd://h/p", {"lease_ttl_s": 1}, "coordination.lease_s: 1 is too short"),
        ("etcds://h/p", {"cert_file": "c.pem"}, "coordination.cert_file and coordination.key_file: set both"),
        ("etcds://h/p", {"key_file": "k.pem"}, "coordination.cert_file and coordination.key_file: set both"),
        ("etcds://h/p", {"ca_file": "/no/such/ca.pem"}, "coordination.ca_file: /no/such/ca.pem"),
        ("etcds://h/p", {"cert_file": "/no/c", "key_file": "/no/k"}, "coordination.cert_file and .*: /no/c"),
    ],
)
async def test_settings_that_do_not_fit(url: str, settings: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        open_coordination(url, **settings)  # type: ignore[arg-type]


async def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "one")
    pair, other = authority.issue("a"), authority.issue("b")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(Misconfigured, match=r"coordination\.ca_file: .*nonsense"):
        open_coordination("etcds://h/p", ca_file=nonsense)
    for cert_file, key_file in ((pair.cert_file, other.key_file), (nonsense, pair.key_file)):
        with pytest.raises(Misconfigured, match=r"coordination\.cert_file and coordination\.key_file"):
            open_coordination(
                "etcds://h/p", ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file
            )
