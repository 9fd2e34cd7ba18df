"""Addresses of servers, as people write them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

DEFAULT_SERVER: Final = "127.0.0.1:7420"

_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def checked_addresses(servers: str) -> tuple[str, ...]:
    """The addresses in ``servers``: ``host:port``, IPv6 in brackets, several with commas between them.

    In their order, each once. Raises ``ValueError``.
    """
    return tuple(dict.fromkeys(_checked(each.strip()) for each in servers.split(",")))


def _checked(server: str) -> str:
    match = _ADDRESS.fullmatch(server)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(
            f"{server!r} is not the address of a server: write HOST:PORT, like {DEFAULT_SERVER}, and commas "
            "between several"
        )
    return server


def is_loopback(server: str) -> bool:
    """Whether a checked address leads back to this machine."""
    host = server.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
