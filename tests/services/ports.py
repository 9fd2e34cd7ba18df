"""Free ports on 127.0.0.1 that stay ours while a service is stopped and started again.

Ports are taken below the range that the system hands out for outgoing connections. On Linux a reservation
keeps a socket bound, without listening: a second reservation of the port fails, while a service, which
binds with SO_REUSEADDR as all of ours do, may listen on it.
"""

from __future__ import annotations

import random
import socket
import sys
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_RANGE = range(15_000, 32_000)


class ReservedPort:
    """A port number; given back by ``close``."""

    def __init__(self) -> None:
        self._socket, self.number = _bind_any()
        if sys.platform == "linux":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            self._socket.close()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.number}"

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bind_any() -> tuple[socket.socket, int]:
    for number in random.SystemRandom().sample(_RANGE, 200):
        candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            candidate.bind((HOST, number))
        except OSError:
            candidate.close()
            continue
        return candidate, number
    raise RuntimeError(f"no free port on {HOST} among 200 tried between {_RANGE.start} and {_RANGE.stop}")
