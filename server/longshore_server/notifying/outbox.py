"""From marked events to notifications, one for each receiver that wants to hear of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from longshore_server.settings import ReceiverSettings
from longshore_storage.catalogue import Catalogue, notifications
from longshore_storage.catalogue.deployments import get_deployments

from .messages import body_of, name_of, notification_id

_EVENTS_AT_ONCE: Final = 100
# Where nobody is to be told, marks go; not at once, because the node that knows receivers may be starting.
_UNWANTED_AFTER: Final = timedelta(hours=1)


async def write_down(catalogue: Catalogue, receivers: Collection[ReceiverSettings]) -> Collection[str]:
    """Write the notifications that marked events call for; gives the names of their receivers."""
    told: set[str] = set()
    taken = _EVENTS_AT_ONCE
    while taken == _EVENTS_AT_ONCE:
        async with catalogue.reading() as transaction:
            if not await notifications.has_marked(transaction):
                break
        async with catalogue.transaction() as transaction:
            events = await notifications.take_marked(transaction, limit=_EVENTS_AT_ONCE)
            ids = {event.deployment_id for event in events}
            deployments = {each.id: each for each in await get_deployments(transaction, ids)}
            for event in events:
                deployment = deployments[event.deployment_id]
                name = name_of(event)
                for receiver in receivers:
                    if receiver.wants(name, deployment.project, deployment.environment):
                        ident = notification_id(receiver.name, event)
                        await notifications.add(
                            transaction,
                            notification_id=ident,
                            receiver=receiver.name,
                            event=name,
                            body=body_of(ident, event, deployment),
                        )
                        told.add(receiver.name)
        taken = len(events)
    return told


async def drop_unwanted(catalogue: Catalogue) -> None:
    """Take old marks away where there are no receivers."""
    taken = _EVENTS_AT_ONCE
    while taken == _EVENTS_AT_ONCE:
        async with catalogue.reading() as transaction:
            if not await notifications.has_marked(transaction):
                return
        async with catalogue.transaction() as transaction:
            before = await transaction.now() - _UNWANTED_AFTER
            taken = len(await notifications.take_marked(transaction, before=before, limit=_EVENTS_AT_ONCE))
