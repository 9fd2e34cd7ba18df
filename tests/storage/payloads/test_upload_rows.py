"""Who holds an upload: accepting, taking over, letting go, and the heartbeat in between."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from longshore_storage.catalogue import Catalogue, tables, uploads
from longshore_storage.catalogue.uploads import Takeover
from longshore_storage.errors import ConstraintViolated
from tests.storage.catalogue.rows import insert_an_upload


async def take_over(
    catalogue: Catalogue, deployment_id: str, session_id: str, attempt: int, *, stale_after_s: float = 30
) -> Takeover | None:
    async with catalogue.transaction() as transaction:
        return await uploads.take_over(
            transaction, deployment_id, session_id=session_id, attempt=attempt, stale_after_s=stale_after_s
        )


async def get(catalogue: Catalogue, deployment_id: str) -> uploads.Upload:
    async with catalogue.reading() as transaction:
        row = await uploads.get_upload(transaction, deployment_id)
    assert row is not None
    return row


async def test_an_accepted_upload_is_held_and_empty(catalogue: Catalogue) -> None:
    row = await get(catalogue, await insert_an_upload(catalogue, declared_size_bytes=7))
    assert (row.session_id, row.attempt, row.epoch, row.held, row.way) == ("first", 1, 1, True, "")
    assert (row.declared_size_bytes, row.durable_bytes, row.next_segment) == (7, 0, 0)


async def test_an_upload_is_accepted_once(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    with pytest.raises(ConstraintViolated) as caught:
        async with catalogue.transaction() as transaction:
            await uploads.begin_upload(transaction, deployment_id, session_id="second", attempt=1)
    assert caught.value.constraint == "pk_upload"


async def test_the_same_session_takes_over_at_once_with_a_higher_attempt(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    assert await take_over(catalogue, deployment_id, "first", 2) == Takeover(2, 0)
    row = await get(catalogue, deployment_id)
    assert (row.session_id, row.attempt, row.epoch) == ("first", 2, 2)


@pytest.mark.parametrize(("session_id", "attempt"), [("first", 1), ("first", 0), ("second", 9)])
async def test_nobody_else_takes_over_while_the_holder_is_heard_of(
    catalogue: Catalogue, session_id: str, attempt: int
) -> None:
    deployment_id = await insert_an_upload(catalogue)
    taken = await take_over(catalogue, deployment_id, session_id, attempt)
    assert taken is not None
    assert taken.epoch is None
    assert 25 < taken.retry_after_s <= 30
    assert (await get(catalogue, deployment_id)).epoch == 1


async def test_another_session_takes_over_from_a_holder_who_let_go(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    async with catalogue.transaction() as transaction:
        assert await uploads.let_go(transaction, deployment_id, 1)
    assert await take_over(catalogue, deployment_id, "second", 1) == Takeover(2, 0)
    assert (await get(catalogue, deployment_id)).held


async def test_another_session_takes_over_from_a_silent_holder(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    assert await take_over(catalogue, deployment_id, "second", 1, stale_after_s=-1) == Takeover(2, 0)


async def test_of_many_at_once_one_takes_over(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    async with catalogue.transaction() as transaction:
        await uploads.let_go(transaction, deployment_id, 1)
    taken = await asyncio.gather(
        *(take_over(catalogue, deployment_id, f"session {number}", 1) for number in range(6))
    )
    assert sorted(one.epoch or 0 for one in taken if one) == [0] * 5 + [2]


async def test_there_is_nothing_to_take_over(catalogue: Catalogue) -> None:
    assert await take_over(catalogue, "none", "first", 1) is None


async def test_a_former_holder_changes_nothing(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    await take_over(catalogue, deployment_id, "first", 2)
    before = await get(catalogue, deployment_id)
    segment = uploads.SegmentRow(0, 10, 1, b"chunks", 10, 0, 10)
    async with catalogue.transaction() as transaction:
        assert not await uploads.heartbeat(transaction, deployment_id, 1)
        assert not await uploads.let_go(transaction, deployment_id, 1)
        assert not await uploads.claim_way(transaction, deployment_id, 1, "PLAIN")
        assert not await uploads.append_segment(transaction, deployment_id, 1, segment)
    assert await get(catalogue, deployment_id) == before


async def test_a_heartbeat_makes_it_fresh(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    u = tables.upload
    async with catalogue.transaction() as transaction:
        old = (await transaction.now()).replace(year=2020)
        await transaction.execute(update(u).values(heartbeat_time=old))
    async with catalogue.transaction() as transaction:
        assert await uploads.heartbeat(transaction, deployment_id, 1)
    taken = await take_over(catalogue, deployment_id, "second", 1)
    assert taken is not None
    assert taken.epoch is None


async def test_segments_are_appended_in_order_and_read_back(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    async with catalogue.transaction() as transaction:
        for number in range(3):
            segment = uploads.SegmentRow(number, 10 * (number + 1), 2, bytes([number]), 10, 3, 7)
            assert await uploads.append_segment(transaction, deployment_id, 1, segment)
            assert not await uploads.append_segment(transaction, deployment_id, 1, segment)
    row = await get(catalogue, deployment_id)
    assert (row.durable_bytes, row.next_segment) == (30, 3)
    assert (row.received_bytes, row.reused_bytes, row.stored_bytes) == (30, 9, 21)
    async with catalogue.reading() as transaction:
        assert await uploads.segments_from(transaction, deployment_id, 1, limit=5) == [b"\1", b"\2"]
        assert await uploads.segments_from(transaction, deployment_id, 0, limit=1) == [b"\0"]


async def test_dropping_takes_segments_and_pins_along(catalogue: Catalogue) -> None:
    deployment_id = await insert_an_upload(catalogue)
    async with catalogue.transaction() as transaction:
        segment = uploads.SegmentRow(0, 10, 1, b"chunks", 10, 0, 10)
        await uploads.append_segment(transaction, deployment_id, 1, segment)
        await uploads.drop_upload(transaction, deployment_id)
        assert await uploads.segments_from(transaction, deployment_id, 0, limit=5) == []
        assert await uploads.get_upload(transaction, deployment_id) is None
