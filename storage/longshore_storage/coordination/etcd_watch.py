"""Watching keys: opened for sure, never resumed from memory.

Owns one watch on one stream. Refuses to reconnect: a watch that broke may have missed something, and
so may one that etcd compacted, so whoever watches reads again and opens a new one. That makes lost
data, another cluster behind the same address and revisions that run backwards ordinary cases.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import grpc
from etcd3aio._protobuf import WatchCreateRequest, WatchRequest
from etcd3aio.watch import WatchFilter

from longshore_storage.errors import CoordinationUnavailable

from .etcd_calls import outcome
from .etcd_channel import Endpoint, EtcdConnection
from .etcd_errors import FAULTS, StreamEnded, translated


class Watch:
    """An open watch. What changes after ``open`` returned is seen, or ``changed_keys`` raises."""

    def __init__(self, connection: EtcdConnection, endpoint: Endpoint, stream: Any) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._stream = stream

    @classmethod
    async def open(
        cls,
        connection: EtcdConnection,
        key: str,
        *,
        range_end: bytes = b"",
        start_revision: int = 0,
        ignore: WatchFilter,
    ) -> Watch:
        """Watch ``key`` (up to ``range_end``) from ``start_revision``, or from now.

        ``ignore`` leaves out puts or deletes. Raises what ``EtcdConnection.call`` raises.
        """
        request = WatchRequest(
            create_request=WatchCreateRequest(
                key=key.encode(), range_end=range_end, start_revision=start_revision, filters=[int(ignore)]
            )
        )

        async def opened(endpoint: Endpoint, _timeout_s: float) -> Watch:
            stream = endpoint.watch_stub.Watch(metadata=endpoint.stream_metadata)
            try:
                await stream.write(request)
                _events(await stream.read())
            except BaseException:
                stream.cancel()
                raise
            return cls(connection, endpoint, stream)

        return await connection.call(opened)

    async def changed_keys(self) -> list[str]:
        """Wait for the next changes and return their keys. Cancelling this ends the watch.

        Raises ``CoordinationUnavailable`` when the watch broke: something may have been missed.
        """
        try:
            while not (events := _events(await outcome(self._stream.read()))):
                pass
        except FAULTS as raised:
            self._connection.leave(self._endpoint)
            raise CoordinationUnavailable(str(translated(raised, self._endpoint.address).error)) from raised
        return [event.kv.key.decode() for event in events]

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.cancel()


async def wait_for_delete(connection: EtcdConnection, key: str, *, after_revision: int) -> None:
    """Return once ``key`` is deleted later than ``after_revision``; the caller reads again.

    Revisions may run backwards (a restored cluster), so whoever waits reads again after a while, too.
    """
    watch = await Watch.open(connection, key, start_revision=after_revision + 1, ignore=WatchFilter.NOPUT)
    async with watch:
        await watch.changed_keys()


def _events(response: Any) -> Any:
    """The events of a response; raises ``StreamEnded`` when it ends the watch."""
    if response is grpc.aio.EOF:
        raise StreamEnded("the stream ended")
    if response.canceled:
        reason = response.cancel_reason or f"compacted up to revision {response.compact_revision}"
        raise StreamEnded(reason)
    return response.events
