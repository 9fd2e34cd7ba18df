"""Wake-up signals: a put on a key that soon vanishes, and a watch on its kind.

Owns ``{prefix}/signals/{kind}/{ident}``. All keys of a client hang on one lease that is never renewed
but replaced, so that an idle client costs nothing and keys are gone a minute after their last signal.
Invariants: sending never waits longer than a second; listening never ends, and says so when it may
have missed something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from etcd3aio.kv import prefix_range_end
from etcd3aio.watch import WatchFilter

from longshore_storage.errors import CoordinationUnavailable, StorageError

from .etcd_channel import EtcdConnection
from .etcd_errors import LeaseNotFound
from .etcd_lease import grant, new_lease_id, revoke
from .etcd_watch import Watch
from .inbox import MISSED, SignalInbox

SEND_TIMEOUT_S = 1.0
_LEASE_TTL_S = 60
_LEASE_USED_S = 30.0
_FIRST_WATCH_S = 1.0
_MAX_PAUSE_S = 5.0

_log = structlog.get_logger(__name__)


class SignalSender:
    """Sends signals under a lease that is taken when needed and replaced every half minute."""

    def __init__(self, connection: EtcdConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._lease_id = 0
        self._use_until = 0.0
        self._renewing = asyncio.Lock()

    async def send(self, kind: str, ident: str) -> None:
        """Put the signal's key. Raises ``CoordinationUnavailable`` after a second without success."""
        key = f"{_signals(self._prefix, kind)}{ident}"
        deadline = asyncio.get_running_loop().time() + SEND_TIMEOUT_S
        try:
            await self._put(key, deadline)
        except LeaseNotFound:
            self._use_until = 0.0
            await self._put(key, deadline)

    def end(self) -> None:
        """Let this client's keys vanish when its connection closes."""
        if self._lease_id:
            self._connection.finish(asyncio.ensure_future(revoke(self._connection, self._lease_id)))
            self._lease_id, self._use_until = 0, 0.0

    async def _put(self, key: str, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                await self._renewing.acquire()
        except TimeoutError:
            raise CoordinationUnavailable("etcd has not granted a lease for signals in time") from None
        try:
            asked = loop.time()
            if asked >= self._use_until:
                # A grant that failed may have got through: it is repeated under its id, and leaks nothing.
                if self._use_until or not self._lease_id:
                    self._lease_id, self._use_until = new_lease_id(), 0.0
                await grant(self._connection, self._lease_id, _LEASE_TTL_S, timeout_s=deadline - asked)
                self._use_until = asked + _LEASE_USED_S
            lease_id = self._lease_id
        finally:
            self._renewing.release()
        await self._connection.call(
            lambda endpoint, share_s: endpoint.kv.put(key, b"", lease=lease_id, timeout=share_s),
            timeout_s=deadline - loop.time(),
        )


@asynccontextmanager
async def listen(connection: EtcdConnection, prefix: str, kind: str) -> AsyncIterator[AsyncIterator[str]]:
    """The idents signalled from now on, as ``Coordination.signals`` says.

    Entering waits up to a second for the watch, so that nothing is missed where etcd answers; where it
    does not, the listening begins later, with ``MISSED``.
    """
    inbox = SignalInbox()
    listening = asyncio.Event()
    task = asyncio.create_task(_keep_listening(connection, _signals(prefix, kind), inbox, listening))
    try:
        try:
            async with asyncio.timeout(_FIRST_WATCH_S):
                await listening.wait()
        except TimeoutError:
            listening.set()  # too late for "nothing was missed"
        yield inbox
    finally:
        inbox.close()
        task.cancel()
        await asyncio.wait([task])


async def _keep_listening(
    connection: EtcdConnection, keys: str, inbox: SignalInbox, listening: asyncio.Event
) -> None:
    pause_s = 0.0
    while True:
        try:
            watch = await Watch.open(
                connection, keys, range_end=prefix_range_end(keys), ignore=WatchFilter.NODELETE
            )
            async with watch:
                pause_s = 0.0
                if listening.is_set():
                    inbox.put(MISSED)
                listening.set()
                while True:
                    for key in await watch.changed_keys():
                        inbox.put(key[len(keys) :])
        except StorageError as error:
            if not pause_s:
                _log.warning("coordination.not_listening", keys=keys, error=str(error))
            pause_s = min(_MAX_PAUSE_S, max(0.25, pause_s * 2))
            await asyncio.sleep(pause_s)


def _signals(prefix: str, kind: str) -> str:
    return f"{prefix}/signals/{kind}/"
