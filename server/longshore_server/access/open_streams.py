"""Streams and calls that wait: one whose caller has lost the right to it ends, though nothing is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from longshore_server.refusal import Reason, Refusal
from longshore_storage.errors import StorageError

from .callers import Caller, Identity
from .json_web_tokens import unknown_token
from .rights import Rights
from .static_tokens import StaticTokens

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class OpenStream:
    """A stream with the task that serves it; ``ended_by`` says why it was ended before its end."""

    caller: Caller
    task: asyncio.Task[object]
    ended_by: Refusal | None = None


class OpenStreams:
    """All of a node."""

    def __init__(self, tokens: StaticTokens, rights_of: Callable[[Identity], Rights]) -> None:
        self._tokens = tokens
        self._rights_of = rights_of
        self._streams: set[OpenStream] = set()

    @contextmanager
    def entered(self, caller: Caller) -> Iterator[None]:
        """Look after the stream that this task serves for as long as the block runs.

        Raises ``Refusal`` when it must not go on, at once where the caller's rights are others by now.
        """
        if self._rights_of(caller.identity) != caller.rights:
            raise _others()
        task = asyncio.current_task()
        assert task is not None, "handlers run in tasks"
        stream = OpenStream(caller, task)
        self._streams.add(stream)
        try:
            yield
        except asyncio.CancelledError:
            if stream.ended_by is None:
                raise
            task.uncancel()
            raise stream.ended_by from None
        finally:
            self._streams.discard(stream)

    async def look(self, *, rights_changed: bool) -> None:
        """End those that must not go on; who may do what is asked only where it may be another."""
        used = {stream.caller.identity.token for stream in self._streams} - {""}
        revoked = await self._revoked_among(used) if used else ()
        now = time.time()
        for stream in list(self._streams):
            identity = stream.caller.identity
            if rights_changed:
                # With a long policy and thousands of streams this takes a while.
                await asyncio.sleep(0)
            if stream not in self._streams:
                continue
            if identity.token in revoked:
                why = unknown_token("it was revoked")
            elif identity.expires is not None and identity.expires <= now:
                why = unknown_token("it has expired: call again with another")
            elif rights_changed and self._rights_of(identity) != stream.caller.rights:
                why = _others()
            else:
                continue
            if stream.ended_by is None:
                stream.ended_by = why
                stream.task.cancel()

    async def _revoked_among(self, token_ids: Collection[str]) -> Collection[str]:
        try:
            return await self._tokens.revoked_among(token_ids)
        except StorageError as error:
            # What needs no database ends streams all the same.
            _log.warning("access.revoked_not_read", error=str(error))
            return ()


def _others() -> Refusal:
    return Refusal(Reason.CONFLICT, "what you may do has changed: call again", retry_after_s=0)
