"""Which addresses are private, and what becomes of names that lead to both kinds."""

from __future__ import annotations

import pytest

from longshore_client.sources import Deadline, SourceRefused
from longshore_client.sources.hosts import is_private, public_only, resolve
from longshore_client.sources.urls import Origin

ORIGIN = Origin("https", "host.test", 443)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
        *("64:ff9b:1::a00:1", "64:ff9b:1::808:808", "::7f00:1", "::a9fe:a9fe", "::ffff:0:7f00:1"),
        *(
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2606:4700::5efe:a00:1",
            "2606:4700::200:5efe:7f00:1",
        ),
        *("fec0::1", "100::1", "4000::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    ],
)
def test_private_addresses(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
        "::808:808",
    ],
)
def test_public_addresses(address: str) -> None:
    assert not is_private(address)


def test_of_several_addresses_the_public_ones_are_left() -> None:
    assert public_only(ORIGIN, ("10.0.0.1", "1.1.1.1", "::1")) == ("1.1.1.1",)
    with pytest.raises(SourceRefused, match=r"host\.test leads to 10\.0\.0\.1, a private address"):
        public_only(ORIGIN, ("10.0.0.1", "::1"))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "127.0.0.1", "localhost"])
def test_other_ways_to_write_an_address_are_seen_through(host: str) -> None:
    assert all(map(is_private, resolve(Origin("http", host, 80), Deadline(20))))
