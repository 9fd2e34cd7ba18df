"""Boot numbers: a data folder and the row of its node say of each other which of them is older."""

from __future__ import annotations

import pytest

from longshore_storage.catalogue import Catalogue, nodes
from longshore_storage.catalogue.rows import Node
from longshore_storage.errors import Misconfigured


async def next_boot(catalogue: Catalogue, last: int | None) -> int:
    async with catalogue.reading() as transaction:
        return await nodes.next_boot(transaction, "id", last=last)


async def boot(catalogue: Catalogue, boot_number: int, *, name: str = "one", node_id: str = "id") -> Node:
    async with catalogue.transaction() as transaction:
        return await nodes.boot(
            transaction,
            node_id,
            boot_number,
            name=name,
            environment="default",
            roles=["install"],
            labels={"zone": "eu"},
            address="",
            server_version="",
            free_disk_bytes=0,
        )


async def report(catalogue: Catalogue, boot_number: int) -> Node | None:
    async with catalogue.transaction() as transaction:
        return await nodes.report(transaction, "id", boot_number, upload_count=2, rollout_count=1)


async def test_a_folder_that_is_behind_is_refused_and_one_that_is_ahead_is_not(catalogue: Catalogue) -> None:
    assert await next_boot(catalogue, None) == 1
    first = await boot(catalogue, 1)
    assert (first.boot_number, first.labels, first.draining) == (1, {"zone": "eu"}, False)
    assert await next_boot(catalogue, 1) == 2
    # It wrote 2 down, and crashed before it took it.
    assert await next_boot(catalogue, 2) == 3
    # The database was restored.
    assert await next_boot(catalogue, 7) == 8
    await boot(catalogue, 8)
    with pytest.raises(Misconfigured, match=r"is a copy, or an older state, of node 'one'.*remove-node one"):
        await next_boot(catalogue, 7)
    # A folder of an earlier version knows no number.
    assert await next_boot(catalogue, None) == 9


async def test_of_two_starts_at_once_one_is_refused_and_the_older_one_hears_of_it(
    catalogue: Catalogue,
) -> None:
    await boot(catalogue, 1)
    told = await report(catalogue, 1)
    assert told is not None
    assert (told.upload_count, told.rollout_count) == (2, 1)
    again = await boot(catalogue, 2)
    assert (again.upload_count, again.rollout_count) == (0, 0), "it has only just begun"
    with pytest.raises(Misconfigured, match="two copies of its data folder"):
        await boot(catalogue, 2)
    assert await report(catalogue, 1) is None
    assert await report(catalogue, 2) is not None


async def test_a_restored_database_learns_the_number_of_a_node_that_runs(catalogue: Catalogue) -> None:
    await boot(catalogue, 1)
    told = await report(catalogue, 3)
    assert told is not None
    assert told.boot_number == 3
    assert await report(catalogue, 2) is None


async def test_a_name_is_one_nodes(catalogue: Catalogue) -> None:
    await boot(catalogue, 1)
    with pytest.raises(Misconfigured, match="another node is registered under the name 'one'"):
        await boot(catalogue, 1, node_id="other")


def test_every_label_of_a_selector_counts() -> None:
    assert nodes.matches({"zone": "eu", "disk": "ssd"}, {"zone": "eu", "disk": "ssd"})
    assert nodes.matches({}, nodes.EVERY_NODE)
    assert not nodes.matches({"zone": "eu"}, {"zone": "eu", "disk": "ssd"})
    assert not nodes.matches({"zone": "us"}, {"zone": "eu"})
