"""A transaction that is cancelled ends by that, also when its connection breaks at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.journal import events_after
from tests.services.postgres_service import PostgresService
from tests.services.toxiproxy import ToxiproxyService


async def test_it_is_cancelled_while_its_connection_breaks(
    postgres_service: PostgresService,
    postgres_database: str,
    toxiproxy_service: ToxiproxyService,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broken connection must not turn it into a fault: whoever was cancelled would go on."""
    place = postgres_database.rpartition("@")[2].partition("/")[0]
    direct = open_catalogue(postgres_database)
    await direct.migrate()
    await direct.close()
    with toxiproxy_service.proxy(place) as proxy:
        catalogue = open_catalogue(postgres_database.replace(place, proxy.address))
        silent = asyncio.Event()

        async def ask() -> None:
            async with catalogue.transaction() as transaction:
                await events_after(transaction, "nobody's", 0, 1)
                await asyncio.to_thread(proxy.silence)
                silent.set()
                await events_after(transaction, "nobody's", 0, 1)

        asking = asyncio.create_task(ask())
        await silent.wait()
        # One turn of the loop, in which it asks.
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.to_thread(proxy.cut)
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.to_thread(proxy.mend)
        async with catalogue.transaction() as transaction:
            assert await events_after(transaction, "nobody's", 0, 1) == []
        await catalogue.close()
    # Nor does the pool try to mend what is closed, and tell of it as of a fault.
    assert not [record for record in caplog.records if record.name.startswith("sqlalchemy.pool")]
