"""Where a call goes, and where and when it goes on after a failure.

Invariants: the server that answered last comes first; what may be one server's own trouble is tried at the
others at once, each at most once between two pauses; what would be the same everywhere is raised as it is and
never carried around; where every server was tried in vain, the error names them all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .errors import (
    Conflict,
    HandshakeFailed,
    LongshoreError,
    Misconfigured,
    QuotaExceeded,
    RoleMissing,
    ServerFault,
    StorageFull,
    TimedOut,
    Unavailable,
    UploadIdle,
    UploadInProgress,
)

if TYPE_CHECKING:
    from .connection import Connection
    from .policy import CallPolicy
    from .server import Server

_FIRST_LOOK_S: Final = 0.5
# So soon there is room again in a quota of requests a second; in one of uploads a day tomorrow.
_SOON_S: Final = 5.0


def passes_by_itself(error: LongshoreError) -> bool:
    """Whether the same call may succeed a moment later."""
    match error:
        case Unavailable():
            return True
        case Conflict():
            return error.reason == "CONFLICT"
        case QuotaExceeded():
            return error.retry_after_s is not None and error.retry_after_s <= _SOON_S
        case _:
            return False


def is_the_servers_own(error: LongshoreError) -> bool:
    """Whether another server may do at once what this one failed at."""
    match error:
        case UploadIdle():
            return False
        case Unavailable() | TimedOut() | RoleMissing() | Misconfigured() | StorageFull() | HandshakeFailed():
            return True
        case ServerFault():
            # The server gives a reason for its own faults; without one the connection broke, or what
            # answers there is not (this version of) Longshore.
            return not error.reason
        case _:
            return False


class Route:
    """One call's way over the servers; ``server`` is where its next try goes.

    It is given up after ``most_rounds`` over all servers without progress, or where a pause would end later
    than ``patience_s`` after the last progress; and at once by an error of which ``passes`` says that a later
    try cannot mend it.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        most_rounds: float = math.inf,
        patience_s: float = math.inf,
        passes: Callable[[LongshoreError], bool] = passes_by_itself,
    ) -> None:
        self._connection = connection
        self._servers = connection.servers
        self._most_rounds = most_rounds
        self._patience_s = patience_s
        self._passes = passes
        self._place = 0
        self._failures: dict[Server, LongshoreError] = {}
        self._rounds = 0
        self._progress_s = time.monotonic()

    @property
    def server(self) -> Server:
        """Where the next try goes."""
        return self._servers[self._place]

    def answered(self) -> None:
        """Note that the server does what was asked: later calls begin with it."""
        self._connection.prefer(self.server)

    def progressed(self) -> None:
        """Note that this call is further than before: rounds and patience count from here on."""
        self._rounds = 0
        self._progress_s = time.monotonic()

    def pause_s(self, error: LongshoreError) -> float:
        """Take ``error`` as the end of a try: seconds to wait before the next, 0 where it is elsewhere.

        Raises what the call has come to when no try is left.
        """
        outcome = error
        if is_the_servers_own(error):
            self._failures[self.server] = error
            self._place = (self._place + 1) % len(self._servers)
            if self._go_to_an_untried_one():
                return 0.0
            outcome = self._outcome()
        self._failures.clear()
        self._rounds += 1
        pause_s = _wait_s(outcome, self._rounds, self._connection.policy)
        is_late = time.monotonic() + pause_s - self._progress_s > self._patience_s
        if is_late or self._rounds >= self._most_rounds or not self._passes(outcome):
            if outcome is error:
                raise error
            raise outcome from error
        return pause_s

    def _go_to_an_untried_one(self) -> bool:
        for _ in self._servers:
            if self.server not in self._failures:
                return True
            self._place = (self._place + 1) % len(self._servers)
        return False

    def _outcome(self) -> LongshoreError:
        """The one error for all servers: what a later try may mend goes before what it cannot."""
        told = list(self._failures.values())
        if len(told) == 1:
            return told[0]
        chosen = next(filter(self._passes, reversed(told)), told[-1])
        places = [
            error.message if server.address in error.message else f"{server.address}: {error.message}"
            for server, error in self._failures.items()
        ]
        advice = [each.retry_after_s for each in told if each.retry_after_s is not None]
        outcome = type(chosen)(
            f"none of the {len(told)} servers can do it: {'; '.join(places)}",
            reason=chosen.reason,
            status=chosen.status,
            request_id=chosen.request_id,
            retry_after_s=min(advice, default=None),
        )
        for note in getattr(chosen, "__notes__", ()):
            outcome.add_note(note)
        return outcome


def _wait_s(error: LongshoreError, rounds: int, policy: CallPolicy) -> float:
    """Seconds to wait after so many rounds in vain: the server's advice, else twice as long each time."""
    growth = 2.0 ** min(rounds - 1, 10)
    if error.retry_after_s is None:
        return min(policy.first_wait_s * growth, policy.longest_wait_s)
    advised_s = min(error.retry_after_s, policy.longest_advised_wait_s)
    if isinstance(error, UploadInProgress):
        # The advice is when a silent holder counts as dead; one that was cut off lets go much sooner.
        return min(advised_s, _FIRST_LOOK_S * growth)
    return advised_s
