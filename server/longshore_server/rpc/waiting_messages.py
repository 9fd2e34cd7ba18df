"""Messages that are begun and do not come to an end: what is waited for is bounded.

gRPC keeps what has come of a message, up to four megabytes of it. Of a call that has but one it would wait
for all of that before it asks a handler, so before anybody knows who calls, and for as long as the connection
lives. So handlers of such calls are handlers of streams here, and read their one message themselves when the
caller was let in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any, Final, Self

from longshore_server.access.shares import Shares
from longshore_server.refusal import Reason, Refusal

from .reading import StreamReading, read_only, read_stream

# The message of a call comes with it, mostly in the same packet.
_SOON_S: Final = 1.0
_AT_MOST_S: Final = 20.0
_TOLD_AFTER_S: Final = 0.1
_MOST_ENDING: Final = 8
_MOST_SINGLE: Final = 32
# Streams are idle for good reasons, each in a few kilobytes; but nobody has so many.
_MOST_OF_STREAMS: Final = 100_000
_MOST_OF_ONES_STREAMS: Final = 128


def _too_many(why: str) -> Refusal:
    return Refusal(Reason.LIMIT_EXCEEDED, f"{why}: send each in one go, later", retry_after_s=_AT_MOST_S)


class WaitingMessages:
    """Waits for them, and counts those that do not come soon."""

    def __init__(self) -> None:
        self._single = Shares(_MOST_SINGLE, "requests that do not come to an end", _too_many)
        self._ending = 0
        self._of_streams = Shares(
            _MOST_OF_STREAMS, "streams that wait for a message", _too_many, most_of_one=_MOST_OF_ONES_STREAMS
        )

    async def single(self, messages: AsyncIterator[Any]) -> Any:
        """The one message of a call. Raises ``Refusal`` where there is none, or it does not come."""
        why = f"the request did not come to its end in {_AT_MOST_S:g} s"
        late = Refusal(Reason.UPLOAD_IDLE, why, retry_after_s=0)
        try:
            return await _next(read_only(messages), self._single, late, at_most_s=_AT_MOST_S)
        except StopAsyncIteration:
            await self._until_told()
            raise Refusal(Reason.INVALID_REQUEST, "the call came without its request") from None

    async def _until_told(self) -> None:
        """A call whose client has gone looks as if it had no message; soon that is told, and ends it.

        Of a flood of such calls few are waited for: the others are logged as what they look like.
        """
        if self._ending >= _MOST_ENDING:
            return
        self._ending += 1
        try:
            await asyncio.sleep(_TOLD_AFTER_S)
        finally:
            self._ending -= 1

    async def stream(self, messages: AsyncIterator[bytes], how: StreamReading) -> AsyncIterator[Any]:
        """All messages of a call, which raise ``Refusal`` where too many are waited for."""
        return _Stream(read_stream(messages, how), self._of_streams)


class _Stream:
    def __init__(self, messages: AsyncIterator[Any], counted: Shares) -> None:
        self._messages = messages
        self._counted = counted

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await _next(self._messages, self._counted, None, at_most_s=None)


async def _next(
    messages: AsyncIterator[Any], slow: Shares, refusal: Refusal | None, *, at_most_s: float | None
) -> Any:
    loop = asyncio.get_running_loop()

    def count() -> None:
        nonlocal refusal
        try:
            counted.enter_context(slow.counted())
        except Refusal as too_many:
            refusal = too_many
            limit.reschedule(loop.time())

    with ExitStack() as counted:
        try:
            async with asyncio.timeout(at_most_s) as limit:
                soon = loop.call_later(_SOON_S, count)
                try:
                    return await anext(messages)
                finally:
                    soon.cancel()
        except TimeoutError:
            assert refusal is not None
            raise refusal from None
