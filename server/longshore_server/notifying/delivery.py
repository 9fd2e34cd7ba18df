"""Delivering what waits for one receiver: some at a time, each again with growing pauses, for a day."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Final

import structlog

from longshore_server import __version__
from longshore_server.metrics import Metrics
from longshore_server.settings import ReceiverSettings
from longshore_server.signing import read_secret, signature
from longshore_server.wakeups import woken
from longshore_storage.catalogue import Catalogue, Transaction, audit_trail, notifications
from longshore_storage.catalogue.notifications import Notification
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import Misconfigured, StorageError

from .posting import NotDelivered, Posting

_log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
GIVEN_UP_AFTER: Final = timedelta(days=1)
_TIMEOUT_S: Final = 10.0
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 3600.0
_STORE_PAUSE_S: Final = 1.0


class Delivery:
    """Delivers to one receiver until cancelled."""

    def __init__(
        self,
        catalogue: Catalogue,
        receiver: ReceiverSettings,
        threads: Executor,
        actor: Actor,
        metrics: Metrics,
        *,
        poll_s: float,
    ) -> None:
        self._catalogue = catalogue
        self._receiver = receiver
        self._threads = threads
        self._actor = actor
        self._metrics = metrics
        self._poll_s = poll_s
        self._news = asyncio.Event()

    def look(self) -> None:
        """Look at once: something was written down."""
        self._news.set()

    async def run(self) -> None:
        """Deliver what is due, and wait for what comes next."""
        while True:
            self._news.clear()
            try:
                async with self._catalogue.reading() as transaction:
                    due, next_in = await notifications.due(transaction, self._receiver.name, limit=AT_ONCE)
                if due:
                    await self._deliver_all(due)
                    continue
                wait_s = self._poll_s if next_in is None else min(next_in.total_seconds(), self._poll_s)
                await woken(self._news, wait_s)
            except StorageError as error:
                _log.warning("notifications.wait", receiver=self._receiver.name, error=str(error))
                await asyncio.sleep(_STORE_PAUSE_S)

    async def _deliver_all(self, due: Sequence[Notification]) -> None:
        """Deliver each, and wait for all of them also where the database fails one."""
        ended = await asyncio.gather(*map(self._deliver, due), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _deliver(self, notification: Notification) -> None:
        try:
            await self._post(notification)
        except NotDelivered as error:
            self._metrics.notified(self._receiver.name, "failed")
            await self._failed(notification, str(error))
        else:
            async with self._catalogue.transaction() as transaction:
                await notifications.remove(transaction, notification.id)
            self._metrics.notified(self._receiver.name, "delivered")

    async def _post(self, notification: Notification) -> None:
        receiver = self._receiver
        posting = Posting(receiver.url.get_secret_value(), receiver.ca_file, _TIMEOUT_S)
        body = notification.body.encode()

        def post() -> None:
            try:
                secret = read_secret(receiver.secret_file, "notifications.secret_file")
            except Misconfigured as error:
                raise NotDelivered("its secret cannot be read") from error
            headers = {
                "Content-Type": "application/json",
                "User-Agent": f"longshore/{__version__}",
                "Longshore-Id": notification.id,
                "Longshore-Event": notification.event,
                "Longshore-Attempt": str(notification.tries + 1),
                "Longshore-Signature": signature(secret, int(time.time()), body),
            }
            posting.post(body, headers)

        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, post)
        except asyncio.CancelledError:
            posting.break_off()
            raise

    async def _failed(self, notification: Notification, why: str) -> None:
        tries = notification.tries + 1
        _log.warning("notification.failed", receiver=self._receiver.name, id=notification.id, why=why)
        async with self._catalogue.transaction() as transaction:
            if await transaction.now() - notification.create_time >= GIVEN_UP_AFTER:
                given_up = await give_up(
                    transaction, self._actor, notification, f"after {tries} tries: {why}"
                )
            else:
                given_up = False
                await notifications.put_off(transaction, notification.id, _pause(tries))
        if given_up:
            self._metrics.notified(self._receiver.name, "given_up")


async def give_up(transaction: Transaction, actor: Actor, notification: Notification, why: str) -> bool:
    """Forget a notification, and tell so in the audit trail; False where it is gone already."""
    if not await notifications.remove(transaction, notification.id):
        return False
    deployment = json.loads(notification.body)["deployment"]
    await audit_trail.record_audit(
        transaction,
        actor,
        "notification.given_up",
        project=deployment["project"],
        environment=deployment["environment"],
        version=deployment["version"],
        message=f"{notification.receiver} was not told {notification.event} of {deployment['id']} {why}",
    )
    return True


def _pause(tries: int) -> timedelta:
    """Twice as long each time, and not the same for all that failed at once."""
    pause_s = min(_FIRST_PAUSE_S * 2 ** min(tries - 1, 20), _LONGEST_PAUSE_S)
    return timedelta(seconds=pause_s * random.uniform(0.8, 1.2))  # noqa: S311
