"""Telling receivers outside of deployments that end or wait for a person, at least once each.

Events of the catalogue are marked in the transaction that writes them. One control node at a time takes the
marks and writes notifications, one for each receiver that wants to hear (``outbox``); and delivers these,
each receiver beside the others (``delivery``), again and again for a day. ``notifier`` has the lock.
"""

from .notifier import Notifier

__all__ = ["Notifier"]
