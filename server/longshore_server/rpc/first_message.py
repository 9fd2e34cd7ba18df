"""The one message of a call that has no stream of them: waited for when its caller is let in, not for ever.

gRPC would have all of it before it asks a handler. A message that never ends would be kept for as long as its
connection, of up to four megabytes, by whoever reaches the port. So handlers of such calls are handlers of
streams here, and read the first message themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any, Final

from longshore_server.access.shares import Shares
from longshore_server.refusal import Reason, Refusal

from .reading import read_only

# It comes with the call, mostly in the same packet.
_SOON_S: Final = 1.0
_AT_MOST_S: Final = 20.0
_MOST_SLOW: Final = 32


def _too_many(why: str) -> Refusal:
    return Refusal(Reason.LIMIT_EXCEEDED, f"{why}: send it in one go, later", retry_after_s=_AT_MOST_S)


class FirstMessages:
    """Waits for them; of those that take long there are few at a time."""

    def __init__(self) -> None:
        self._slow = Shares(_MOST_SLOW, "requests that do not come to an end", _too_many)

    async def of(self, messages: AsyncIterator[Any]) -> Any:
        """The one of a call's messages. Raises ``Refusal`` where there is none, or it does not come."""
        loop = asyncio.get_running_loop()
        refusal = Refusal(Reason.INVALID_REQUEST, f"the request did not come to its end in {_AT_MOST_S:g} s")

        def count() -> None:
            nonlocal refusal
            try:
                counted.enter_context(self._slow.counted())
            except Refusal as too_many:
                refusal = too_many
                limit.reschedule(loop.time())

        with ExitStack() as counted:
            try:
                async with asyncio.timeout(_AT_MOST_S) as limit:
                    soon = loop.call_later(_SOON_S, count)
                    try:
                        return await anext(read_only(messages))
                    finally:
                        soon.cancel()
            except TimeoutError:
                raise refusal from None
            except StopAsyncIteration:
                raise Refusal(Reason.INVALID_REQUEST, "the call came without its request") from None
