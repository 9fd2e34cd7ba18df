"""The upload sessions of this node, by their deployment: a newer attempt lets the older one end first.

Whoever is broken off makes durable what came until then. A client that comes back at once, which is what
clients do, would otherwise take the upload over before that, and send again what is here already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .requests import Header

_LONGEST_END_S: Final = 30.0


class RunningSession:
    """A session that runs in the task that entered it."""

    def __init__(self, session_id: str, attempt: int) -> None:
        self._session_id = session_id
        self._attempt = attempt
        self._task = asyncio.current_task()
        self.gives_way = False
        self.ended = asyncio.Event()

    def is_older_than(self, header: Header) -> bool:
        """Whether the header is the same session's next attempt."""
        return self._session_id == header.session_id and self._attempt < header.attempt

    async def end(self) -> None:
        """Break it off and wait for its end; one that takes too long is taken over as it is."""
        if not self.gives_way and self._task is not None:
            self.gives_way = True
            self._task.cancel()
        try:
            async with asyncio.timeout(_LONGEST_END_S):
                await self.ended.wait()
        except TimeoutError:
            return


class RunningSessions:
    """Those of one node; at most one a deployment, the newest, is found."""

    def __init__(self) -> None:
        self._by_deployment: dict[str, RunningSession] = {}

    @contextmanager
    def entered(self, header: Header) -> Iterator[RunningSession]:
        """Let this task's session be found for as long as the block runs."""
        session = RunningSession(header.session_id, header.attempt)
        self._by_deployment[header.deployment_id] = session
        try:
            yield session
        finally:
            session.ended.set()
            if self._by_deployment.get(header.deployment_id) is session:
                del self._by_deployment[header.deployment_id]

    def older_than(self, header: Header) -> RunningSession | None:
        """The session that the header is a newer attempt of, if it runs here."""
        session = self._by_deployment.get(header.deployment_id)
        return session if session is not None and session.is_older_than(header) else None
