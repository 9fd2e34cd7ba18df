"""Addresses of servers, as people write them."""

from __future__ import annotations

import re
from typing import Final

DEFAULT_SERVER: Final = "127.0.0.1:7420"

_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def checked_address(server: str) -> str:
    """Return ``server`` if it is ``host:port``, IPv6 in brackets. Raises ``ValueError``."""
    match = _ADDRESS.fullmatch(server)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{server!r} is not the address of a server: write HOST:PORT, like {DEFAULT_SERVER}")
    return server


def is_loopback(server: str) -> bool:
    """Whether a checked address leads back to this machine."""
    host = server.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or host.startswith("127.")
