"""How many uploads one principal may begin and leave behind: each is a row that nodes look at until it ends.

The database is asked only about whoever has broken off as many here, so that nobody else's upload takes a
statement more. Going on with one is always allowed. What is only validated is not looked at, and does not
count. Whoever is not known by name is not bounded apart: without access control all are one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from longshore_server.access.callers import ANONYMOUS
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Transaction
from longshore_storage.catalogue.listing import count_uploading

_MOST: Final = 500
_MOST_PRINCIPALS: Final = 10_000


class LeftBehind:
    """Of all principals, the 10,000 that broke off last."""

    def __init__(self) -> None:
        # No lower than how many of each there may be of what was broken off here.
        self._counts: OrderedDict[str, int] = OrderedDict()

    def note(self, principal: str) -> None:
        """Note that an upload broke off here."""
        if principal != ANONYMOUS:
            self._set(principal, self._counts.get(principal, 0) + 1)

    async def check_new(self, transaction: Transaction, principal: str) -> None:
        """Raise ``Refusal`` where a principal has too many that have not ended, to begin another one."""
        if self._counts.get(principal, 0) < _MOST:
            return
        count = await count_uploading(transaction, principal, most=_MOST)
        self._set(principal, count)
        if count >= _MOST:
            raise Refusal(
                Reason.LIMIT_EXCEEDED,
                f"{principal} has {count} uploads that were begun and have not ended, more are not taken: "
                "go on with them by their deployment_id, or cancel them (`longshore list --status receiving` "
                "shows them); those that nobody goes on with end by themselves (`uploads.resume_for_s`)",
            )

    def _set(self, principal: str, count: int) -> None:
        self._counts.pop(principal, None)
        self._counts[principal] = count
        if len(self._counts) > _MOST_PRINCIPALS:
            self._counts.popitem(last=False)
