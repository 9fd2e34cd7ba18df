"""A node that was once there, and can be removed."""

from __future__ import annotations

from longshore_storage.catalogue import Catalogue, nodes

from .calls import new_id


async def gone(catalogue: Catalogue) -> None:
    """Register one, called ``gone``, that does not run."""
    async with catalogue.transaction() as transaction:
        await nodes.boot(
            transaction,
            new_id(),
            1,
            name="gone",
            environment="default",
            roles=[],
            address="",
            server_version="",
            free_disk_bytes=0,
        )
