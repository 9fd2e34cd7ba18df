"""The chore of notifying: every control node waits for its lock, and the one that has it does all of it.

The lock only spares repeats: two at once write each notification once, but may deliver it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from longshore_server.metrics import Metrics
from longshore_server.settings import ReceiverSettings
from longshore_server.signing import read_secret
from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.catalogue import Catalogue, notifications
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import StorageError
from longshore_storage.ports import Coordination

from .delivery import AT_ONCE, GIVEN_UP_AFTER, Delivery, give_up
from .outbox import drop_unwanted, write_down

_log = structlog.get_logger(__name__)

LOCK: Final = "notifying"
_AGAIN_S: Final = 1.0
# At most four looks a second, however much happens.
_SPACING_S: Final = 0.25
_COUNT_EVERY_S: Final = 15.0
_DROP_EVERY_S: Final = 600.0
_STRANGERS_AT_ONCE: Final = 100


class Notifier:
    """Runs until cancelled; see the module. Raises ``Misconfigured`` for a secret that is no good."""

    def __init__(
        self,
        catalogue: Catalogue,
        coordination: Coordination,
        wakeups: Wakeups,
        receivers: Sequence[ReceiverSettings],
        actor: Actor,
        metrics: Metrics,
        *,
        poll_s: float,
    ) -> None:
        for receiver in receivers:
            read_secret(receiver.secret_file, "notifications.secret_file")
        self._catalogue = catalogue
        self._coordination = coordination
        self._wakeups = wakeups
        self._receivers = receivers
        self._actor = actor
        self._metrics = metrics
        self._poll_s = poll_s

    async def run(self) -> None:
        """Notify while this node has the lock; without receivers, only see that marks do not pile up."""
        while True:
            try:
                if not self._receivers:
                    await drop_unwanted(self._catalogue)
                    await asyncio.sleep(_DROP_EVERY_S)
                    continue
                async with self._coordination.lock(LOCK):
                    await self._notify()
            except StorageError as error:
                _log.warning("notifying.broken_off", error=str(error))
            except Exception:
                # A fault of our own must not end the node: it serves without notifying.
                _log.exception("notifying.failed")
            finally:
                self._metrics.tell_notifications_waiting({})
            await asyncio.sleep(_AGAIN_S)

    async def _notify(self) -> None:
        # Of their own, so that a receiver that is slow takes no other's.
        threads = ThreadPoolExecutor(AT_ONCE * len(self._receivers), thread_name_prefix="notifying")
        deliveries = {
            receiver.name: Delivery(
                self._catalogue, receiver, threads, self._actor, self._metrics, poll_s=self._poll_s
            )
            for receiver in self._receivers
        }
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write_down(deliveries))
                group.create_task(self._count())
                for delivery in deliveries.values():
                    group.create_task(delivery.run())
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _write_down(self, deliveries: dict[str, Delivery]) -> None:
        news = asyncio.Event()
        async with self._wakeups.listening(Kind.PROGRESS, lambda _: news.set()):
            while True:
                news.clear()
                try:
                    for name in await write_down(self._catalogue, self._receivers):
                        deliveries[name].look()
                except StorageError as error:
                    _log.warning("notifications.not_written", error=str(error))
                await asyncio.sleep(_SPACING_S)
                await woken(news, self._poll_s)

    async def _count(self) -> None:
        """Tell how many wait, and give up what is for receivers that there are no more."""
        names = [receiver.name for receiver in self._receivers]
        while True:
            try:
                async with self._catalogue.reading() as transaction:
                    before = await transaction.now() - GIVEN_UP_AFTER
                    strangers = await notifications.of_others(
                        transaction, names, before=before, limit=_STRANGERS_AT_ONCE
                    )
                    waiting = await notifications.count_waiting(transaction)
                for stranger in strangers:
                    async with self._catalogue.transaction() as transaction:
                        await give_up(transaction, self._actor, stranger, "which is no receiver any more")
                self._metrics.tell_notifications_waiting({name: waiting.get(name, 0) for name in names})
            except StorageError as error:
                _log.warning("notifications.not_counted", error=str(error))
            await asyncio.sleep(_COUNT_EVERY_S)
