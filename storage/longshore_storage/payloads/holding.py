"""A session's hold on an upload: shown by a heartbeat while the session works, and known when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from longshore_storage.catalogue import Catalogue, uploads
from longshore_storage.errors import CommitUnknown, Unavailable

from .errors import UploadTakenOver


class Hold:
    """The heartbeat of one session; ``keep`` is to run beside its work.

    ``last_sign_s`` tells, by the loop's clock, when something else showed that the session is alive.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        deployment_id: str,
        epoch: int,
        *,
        heartbeat_s: float,
        last_sign_s: Callable[[], float] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._deployment_id = deployment_id
        self._epoch = epoch
        self._heartbeat_s = heartbeat_s
        self._last_sign_s = last_sign_s
        self._ends = False

    def end(self) -> None:
        """From now on the session ends the upload itself: that its row goes is no loss."""
        self._ends = True

    async def keep(self) -> None:
        """Show that the session is alive whenever nothing did so for a while.

        Raises ``UploadTakenOver`` when another session holds the upload, or it has ended otherwise.
        """
        loop = asyncio.get_running_loop()
        shown_s = loop.time()
        while True:
            await asyncio.sleep(shown_s + self._heartbeat_s - loop.time())
            if self._last_sign_s is not None:
                shown_s = max(shown_s, self._last_sign_s())
            if loop.time() < shown_s + self._heartbeat_s:
                continue
            shown_s = loop.time()
            if not await self._beat():
                if self._ends:
                    return
                raise UploadTakenOver(self._deployment_id)

    async def _beat(self) -> bool:
        try:
            async with self._catalogue.transaction() as transaction:
                return await uploads.heartbeat(transaction, self._deployment_id, self._epoch)
        except (Unavailable, CommitUnknown):
            # Whoever writes next learns it; a heartbeat can wait for the next one.
            return True
