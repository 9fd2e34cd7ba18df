"""The audit trail as JSON lines, page by page: a line is an entry's canonical bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from longshore_storage.catalogue import Catalogue, audit_seals
from longshore_storage.catalogue.audit_seals import BEGIN

from .proof import canonical

_PAGE: Final = 1000


async def exported_lines(
    catalogue: Catalogue, *, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[bytes]:
    """Entries of a time from ``since`` on and before ``until``, by id, each without its newline."""
    after = BEGIN
    while True:
        async with catalogue.reading() as transaction:
            page = await audit_seals.entries_between(
                transaction, after, since=since, until=until, limit=_PAGE
            )
        for entry in page:
            yield canonical(entry)
        if len(page) < _PAGE:
            return
        after = page[-1].id
