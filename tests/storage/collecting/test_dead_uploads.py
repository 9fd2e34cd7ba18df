"""Uploads that nobody goes on with fail, and what was kept for them goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

from longshore_storage.catalogue import Transaction, audit_trail, journal, tables
from longshore_storage.catalogue.lifecycle import DeploymentKind
from longshore_storage.payloads import UploadTakenOver
from tests.storage.payloads.world import send

from .objects import DATA
from .store import ABANDONED, DAY, Store, as_told


class TestDeadUploads:
    async def test_one_without_a_sign_of_life_fails_and_is_collected(self, store: Store) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        await store.silence(deployment_id)
        report = await store.collect()
        assert report.uploads_given_up == 1
        assert store.given_up == [deployment_id]
        assert await store.objects() == set()
        assert [await store.count(table) for table in (tables.upload, tables.pin)] == [0, 0]
        (deployment,) = await store.rows(tables.deployment)
        assert (deployment.status, deployment.error) == ("FAILED", ABANDONED)
        assert deployment.end_time is not None
        async with store.world.catalogue.reading() as transaction:
            events = await journal.events_after(transaction, deployment_id, 0, 10)
            audit = await audit_trail.list_audit(transaction, deployment_id=deployment_id, limit=10)
        assert [event.sequence for event in events] == [1, 2]
        assert events[-1].body["to_status"] == "FAILED"
        assert (audit[0].action, audit[0].principal) == ("upload.abandoned", "node:one")

    async def test_one_that_was_only_to_be_validated_leaves_no_trace(self, store: Store) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        d = tables.deployment
        async with store.world.catalogue.transaction() as transaction:
            await transaction.execute(
                update(d).where(d.c.id == deployment_id).values(kind=DeploymentKind.VALIDATION)
            )
            await transaction.execute(update(tables.project).values(only_validated=True))
        await store.silence(deployment_id)
        assert (await store.collect()).uploads_given_up == 1
        left = (tables.deployment, tables.event, tables.upload, tables.pin, tables.finding, tables.project)
        assert [await store.count(table) for table in left] == [0] * len(left)
        assert await store.objects() == set()
        async with store.world.catalogue.reading() as transaction:
            (entry, *_) = await audit_trail.list_audit(transaction, deployment_id=deployment_id, limit=5)
        assert entry.action == "validation.ended"

    async def test_a_sign_of_life_from_the_future_is_none(self, store: Store) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        u = tables.upload
        async with store.world.catalogue.transaction() as transaction:
            later = await transaction.now() + 400 * DAY
            await transaction.execute(update(u).values(heartbeat_time=later))
        assert (await store.collect()).uploads_given_up == 1
        assert store.given_up == [deployment_id]

    async def test_one_that_is_alive_stays(self, store: Store) -> None:
        await store.begin_and_break_off(DATA)
        assert as_told(await store.collect()) == {}

    async def test_its_payload_goes_too(self, store: Store) -> None:
        await store.silence(await store.upload(DATA))
        report = await store.collect()
        assert (report.uploads_given_up, report.payloads_dropped) == (1, 1)
        assert await store.objects() == set()

    async def test_one_that_is_resumed_after_it_was_found_dead_wins(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployment_id = await store.begin_and_break_off(DATA)
        await store.silence(deployment_id)
        transaction = store.world.catalogue.transaction

        @asynccontextmanager
        async def after_it_was_resumed() -> AsyncIterator[Transaction]:
            monkeypatch.undo()
            await store.world.take_over(deployment_id)
            async with transaction() as opened:
                yield opened

        monkeypatch.setattr(store.world.catalogue, "transaction", after_it_was_resumed)
        assert as_told(await store.collect()) == {}
        async with store.world.writer(deployment_id, epoch=2) as writer:
            await send(writer, DATA)
            await writer.finish()
        await store.record(deployment_id, DATA, "1.0.0")
        assert await store.is_readable(DATA)

    async def test_one_that_is_given_up_cannot_be_gone_on_with(self, store: Store) -> None:
        deployment_id = await store.world.begin()

        async def upload() -> None:
            async with store.world.writer(deployment_id) as writer:
                await send(writer, DATA)
                await writer.flush()
                await store.silence(deployment_id)
                await store.collect()
                await writer.finish()

        with pytest.raises(UploadTakenOver):
            await upload()
        await store.collect()
        assert await store.objects() == set()

    async def test_many_are_gone_through_in_pages(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("longshore_storage.collecting.dead_uploads._PAGE", 2)
        ids = [await store.world.begin() for _ in range(5)]
        for deployment_id in ids[1:]:
            await store.silence(deployment_id)
        assert (await store.collect()).uploads_given_up == 4
        assert sorted(store.given_up) == sorted(ids[1:])
