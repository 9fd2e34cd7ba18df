"""Who is connected to whom, as the kernel tells it (``/proc``, so Linux only).

Looked at again and again; and what ended in order between two looks is remembered by the kernel for a minute
(TIME_WAIT), though no longer by whom.
"""

from __future__ import annotations

import os
import re
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from tests.services.ports import ReservedPort

_LOOK_EVERY_S = 0.05
_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Connection:
    """Both ends as ``HOST:PORT``; ``inode`` is 0 when no process has it any more."""

    local: str
    remote: str
    inode: int


@dataclass(slots=True)
class Seen:
    """What all looks together have seen of one node."""

    listens_at: str
    connected_to: set[str] = field(default_factory=set)
    callers: set[str] = field(default_factory=set)


class ConnectionWatch:
    """Looks until it is stopped. ``own`` are the near ends of our own process's connections."""

    def __init__(self, nodes: Mapping[int, str]) -> None:
        self.seen = {pid: Seen(listens_at) for pid, listens_at in nodes.items()}
        self.own: set[str] = set()
        self.looks = 0
        self._one_look = threading.Lock()

    def look(self) -> None:
        """Look once."""
        with self._one_look:
            self._look()

    def _look(self) -> None:
        table = connections()
        mine = inodes_of(os.getpid())
        self.own |= {one.local for one in table if one.inode in mine}
        for pid, seen in self.seen.items():
            theirs = inodes_of(pid)
            for one in table:
                if one.local == seen.listens_at:
                    seen.callers.add(one.remote)
                elif one.remote == seen.listens_at:
                    seen.callers.add(one.local)
                elif one.inode in theirs:
                    seen.connected_to.add(one.remote)
        self.looks += 1

    def strangers(self, pid: int) -> set[str]:
        """Who called this node and is not our own process."""
        return self.seen[pid].callers - self.own


@contextmanager
def watching(nodes: Mapping[int, str]) -> Iterator[ConnectionWatch]:
    """Watch ``nodes``, by process id where each listens, while the block runs."""
    watch = ConnectionWatch(nodes)
    ended = threading.Event()

    def keep_looking() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            watch.look()

    looker = threading.Thread(target=keep_looking)
    looker.start()
    try:
        yield watch
    finally:
        ended.set()
        looker.join()


def untouched_port() -> ReservedPort:
    """A port of which the kernel remembers no connection: what is seen there later is new."""
    while True:
        port = ReservedPort()
        if all(port.address not in (one.local, one.remote) for one in connections()):
            return port
        port.close()


def connections() -> list[Connection]:
    """Every TCP connection of this machine."""
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] != _LISTEN:
                found.append(Connection(_address(fields[1]), _address(fields[2]), int(fields[9])))
    return found


def inodes_of(pid: int) -> set[int]:
    """The sockets that a process has open; none when it is gone."""
    found = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                match = _SOCKET.match(str(descriptor.readlink()))
            except OSError:
                continue
            if match:
                found.add(int(match[1]))
    except OSError:
        return set()
    return found


def _address(text: str) -> str:
    """``HOST:PORT`` of the kernel's hexadecimal form, which is in words of the machine's byte order."""
    host, _, port = text.partition(":")
    words = [host[at : at + 8] for at in range(0, len(host), 8)]
    packed = b"".join(struct.pack("=I", int(word, 16)) for word in words)
    if len(packed) == 4:
        return f"{IPv4Address(packed)}:{int(port, 16)}"
    address = IPv6Address(packed)
    return f"{address.ipv4_mapped or address}:{int(port, 16)}"
