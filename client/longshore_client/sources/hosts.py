"""Which addresses a host's name stands for, and which of them may be connected to.

Whoever connects does so to an address that came out of here, never to the name: a name that is resolved a
second time may lead elsewhere.
"""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from typing import Final

from longshore_client.source_errors import SourceRefused, SourceUnavailable

from .options import Deadline
from .urls import Origin

_MOST_RESOLVING_S: Final = 30.0
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_CARRIERS: Final = tuple(map(IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv4 in IPv6: compatible, mapped, translated (SIIT), NAT64; each ends in the address it leads to."""
_ISATAP: Final = 0x5EFE
_OF_CLOUDS: Final = tuple(map(IPv4Network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")))
"""Not private by their numbers, but answered by a machine's own provider or its relays."""

_Found = tuple[str, ...] | OSError | UnicodeError


def resolve(origin: Origin, deadline: Deadline) -> tuple[str, ...]:
    """The addresses of a server, in the system's order of preference. Raises ``SourceUnavailable``."""
    answers: SimpleQueue[_Found] = SimpleQueue()
    # The system's own way has no limit of time, and cannot be broken off.
    threading.Thread(target=lambda: answers.put(_resolved(origin)), daemon=True).start()
    try:
        found = answers.get(timeout=min(_MOST_RESOLVING_S, deadline.left_s()))
    except Empty:
        deadline.left_s()
        raise SourceUnavailable(f"nobody told in time where the host {origin.host!r} is") from None
    if isinstance(found, tuple):
        return found
    told = found.strerror if isinstance(found, OSError) else ""
    raise SourceUnavailable(f"the host {origin.host!r} is not known: {told or found}") from found


def written_out(origin: Origin) -> tuple[str, ...]:
    """The address of a server that is named by one, without asking anybody; none for a name."""
    try:
        return (str(ip_address(origin.host)),)
    except ValueError:
        return ()


def is_private(address: str) -> bool:
    """Whether an address is not one of the public internet: private, loopback, link-local or reserved.

    One that carries another counts as what it carries.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return not _is_public(parsed)
    carried = _carried(parsed)
    if carried is not None and not _is_public(carried):
        return True
    if parsed.sixtofour is not None or _is_carrier(parsed):
        return False
    return parsed not in _GLOBAL_UNICAST or not parsed.is_global


def public_only(origin: Origin, addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the addresses that are public. Raises ``SourceRefused`` when none is."""
    public = tuple(address for address in addresses if not is_private(address))
    if not public:
        raise SourceRefused(
            f"{origin.host} leads to {addresses[0]}, a private address, where a public source must not lead: "
            "if that is meant, name the source there itself, or allow it with --allow-private"
        )
    return public


def _resolved(origin: Origin) -> _Found:
    try:
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def _is_public(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _OF_CLOUDS)
    )


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    # Of ISATAP any network may be in front; the bit that is left out tells numbers unique in the world.
    if _is_carrier(address) or (int(address) >> 32) & 0xFDFFFFFF == _ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def _is_carrier(address: IPv6Address) -> bool:
    return any(address in network for network in _CARRIERS)
