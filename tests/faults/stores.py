"""The real stores that a node of these tests is given, and what it takes to use them."""

from __future__ import annotations

from longshore_storage.catalogue import open_catalogue


async def migrate(database_url: str) -> None:
    """What ``longshore admin migrate`` does."""
    catalogue = open_catalogue(database_url)
    try:
        await catalogue.migrate()
    finally:
        await catalogue.close()
