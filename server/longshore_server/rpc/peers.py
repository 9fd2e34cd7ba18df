"""Where a call comes from, as people write it."""

from __future__ import annotations

from urllib.parse import unquote


def peer_of(told: str) -> str:
    """``10.0.0.1:5000`` or ``[::1]:5000`` of what gRPC tells (``ipv6:%5B::1%5D:5000``); another as it is.

    What stands before the last colon is the address, by which callers are counted.
    """
    kind, _, address = told.partition(":")
    return unquote(address) if kind in ("ipv4", "ipv6") else told
