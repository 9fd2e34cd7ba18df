"""Batches: everything is sealed, once, in order, whoever commits late and whoever seals beside."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from longshore_storage.auditing import exported_lines, sealing
from longshore_storage.auditing.proof import canonical, digest, head_document
from longshore_storage.catalogue import Transaction, audit_seals
from longshore_storage.catalogue.audit_seals import chain_id, count_unsealed
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import AuditSeal
from longshore_storage.errors import BlobStoreUnavailable

from .trails import ANNA, Trail


async def everything_is_sealed_once(trail: Trail) -> None:
    """Seals follow each other without gaps, and their counts make up all entries."""
    seals = await trail.seals()
    assert [seal.number for seal in seals] == list(range(1, len(seals) + 1))
    assert [seal.previous_head for seal in seals] == ["", *(seal.head for seal in seals)][: len(seals)]
    entries = await trail.entries()
    begin = 0
    for seal in seals:
        own = [entry.id for entry in entries if begin < entry.id <= seal.last_id]
        assert (own[0], own[-1], len(own)) == (seal.first_id, seal.last_id, seal.entry_count)
        begin = seal.last_id
    assert begin == entries[-1].id
    assert len(await trail.keys()) == len(seals)
    findings, counted = await trail.verify()
    assert (findings, counted.entries, counted.unsealed_entries) == ([], len(entries), 0)


async def test_an_empty_trail_needs_no_seal(trail: Trail) -> None:
    assert (await trail.seal()).batches == 0
    findings, counted = await trail.verify()
    assert (findings, counted.batches, await trail.keys()) == ([], 0, [])


async def test_batches_follow_each_other(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)
    monkeypatch.setattr(sealing, "_PAGE", 2)
    await trail.write(*(f"entry {number}" for number in range(7)))
    report = await trail.seal()
    assert (report.batches, report.entries, report.anchored) == (3, 7, 3)
    await trail.write("one more")
    assert (await trail.seal()).entries == 1
    assert (await trail.seal()).batches == 0
    await everything_is_sealed_once(trail)


async def test_the_formats_are_as_documented(trail: Trail) -> None:
    """Computed by the words of docs/formats.md alone: an export and an anchor prove each other."""
    await trail.sealed(["first"], ['zwölf \u2028 "\\\n\x7f', "third"])
    lines = [line async for line in exported_lines(trail.catalogue)]
    assert list(json.loads(lines[1])) == sorted(json.loads(lines[1]))
    assert b": " not in lines[0]
    first, second = [await trail.blobs.get(key) for key in await trail.keys()]
    document, *digests = second.decode().splitlines()
    told = json.loads(document)
    assert [line.split(" ")[1] for line in digests] == [
        hashlib.sha256(line).hexdigest() for line in lines[1:]
    ]
    rows = hashlib.sha256(b"".join(hashlib.sha256(line).digest() for line in lines[1:])).hexdigest()
    assert told["rows_sha256"] == rows
    assert told["previous_head"] == hashlib.sha256(first.split(b"\n")[0]).hexdigest()
    async with trail.catalogue.reading() as transaction:
        chain = await chain_id(transaction)
    head = hashlib.sha256(document.encode()).hexdigest()
    assert (await trail.keys())[1] == f"audit/{chain}/heads/{2:020}-{head}"
    seals = await trail.seals()
    assert [head_document(seal, chain) for seal in seals] == [first.split(b"\n")[0], document.encode()]
    assert [canonical(entry) for entry in await trail.entries()] == lines
    assert [digest(entry) for entry in await trail.entries()] == [
        hashlib.sha256(line).hexdigest() for line in lines
    ]


class TestLateCommits:
    """On PostgreSQL an id is taken before its transaction commits; SQLite has one writer."""

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_a_lower_id_that_commits_later_is_waited_for(
        self, trail: Trail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "_LONGEST_WAIT_S", 0.0)
        async with trail.catalogue.transaction() as late:
            await record_audit(late, ANNA, "release.pinned", message="took the first id")
            await trail.write("took the second id")
            assert (await trail.seal()).entries == 0
        assert (await trail.seal()).entries == 2
        assert [entry.message for entry in await trail.entries()] == [
            "took the first id",
            "took the second id",
        ]
        await everything_is_sealed_once(trail)

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_who_begins_later_is_not_waited_for(self, trail: Trail) -> None:
        """Under load somebody always writes: only those count who did when the end was looked up."""
        async with trail.catalogue.transaction() as early:
            await record_audit(early, ANNA, "release.pinned", message="early")
            async with trail.catalogue.reading() as transaction:
                seen = await audit_seals.highest_id(transaction)
            assert len(seen.writers) == 1
        async with trail.catalogue.transaction() as late:
            await record_audit(late, ANNA, "release.pinned", message="late")
            async with trail.catalogue.reading() as transaction:
                assert await audit_seals.still_writing(transaction, seen.writers) == frozenset()

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_one_that_rolls_back_leaves_a_gap_that_is_none(self, trail: Trail) -> None:
        with pytest.raises(ZeroDivisionError):
            async with trail.catalogue.transaction() as transaction:
                await record_audit(transaction, ANNA, "release.pinned", message="never was")
                raise ZeroDivisionError
        await trail.sealed(["one"], ["two"])
        await everything_is_sealed_once(trail)

    async def test_writers_and_sealers_at_once_lose_nothing(
        self, trail: Trail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "BATCH", 5)
        numbers = itertools.count()

        async def write() -> None:
            for _ in range(8):
                await trail.write(f"{next(numbers)}", f"{next(numbers)}")

        async def seal() -> None:
            for _ in range(4):
                await trail.seal()

        await asyncio.gather(*(write() for _ in range(4)), *(seal() for _ in range(3)))
        await trail.seal()
        assert len(await trail.entries()) == 64
        await everything_is_sealed_once(trail)


class TestNobodyWaits:
    """Sealing holds no lock that a new entry needs."""

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    async def test_locks_while_a_seal_is_written(self, trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
        await trail.write("one")
        held = []
        inserted = audit_seals.insert_seal

        async def looked_at(transaction: Transaction, seal: AuditSeal) -> None:
            await inserted(transaction, seal)
            rows = await transaction.all(
                text(
                    "SELECT relation::regclass::text AS name, mode FROM pg_locks WHERE pid = pg_backend_pid()"
                    " AND locktype = 'relation' AND relation::regclass::text LIKE 'audit_entry%'"
                )
            )
            held.append({row.mode for row in rows})
            # While the seal is not committed, and by another connection.
            await asyncio.wait_for(trail.write("meanwhile"), 10)

        monkeypatch.setattr(audit_seals, "insert_seal", looked_at)
        await trail.seal()
        # Whoever inserts waits for nobody who reads.
        assert held == [{"AccessShareLock"}]
        assert [entry.message for entry in await trail.entries()] == ["one", "meanwhile"]

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    async def test_sqlite_is_written_one_row_at_a_time(
        self, trail: Trail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Entries are read and hashed while another one writes; only the seal's row takes its turn."""
        await trail.sealed(["named already"])
        await trail.write(*map(str, range(50)))
        hashed = asyncio.Event()
        digests = sealing._digests

        def noted(rows: Sequence[Sequence[Any]]) -> Sequence[str]:
            loop.call_soon_threadsafe(hashed.set)
            return digests(rows)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(sealing, "_digests", noted)
        async with trail.catalogue.transaction() as writer:
            await record_audit(writer, ANNA, "release.pinned", message="is written all the while")
            run = asyncio.create_task(trail.seal())
            await asyncio.wait_for(hashed.wait(), 10)
        await run
        await trail.seal()
        await everything_is_sealed_once(trail)


class TestBrokenOff:
    async def test_what_cannot_be_anchored_is_sealed_all_the_same(
        self, trail: Trail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = []

        async def fail(_blobs: object, _chain: str, seal: AuditSeal, _digests: object) -> None:
            tried.append(seal.number)
            raise BlobStoreUnavailable("away")

        monkeypatch.setattr(sealing, "BATCH", 2)
        await trail.write("one", "two", "three", "four", "five")
        with monkeypatch.context() as away:
            away.setattr(sealing, "put_anchor", fail)
            with pytest.raises(BlobStoreUnavailable):
                await trail.seal()
        # Once more at the end, and not for each batch.
        assert (len(await trail.seals()), tried) == (3, [1, 1])
        report = await trail.seal()
        assert (report.batches, report.anchored) == (0, 3)
        await everything_is_sealed_once(trail)

    async def test_between_sealing_and_anchoring(self, trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(*_: object) -> None:
            raise BlobStoreUnavailable("away")

        await trail.write("one")
        with monkeypatch.context() as away:
            away.setattr(sealing, "put_anchor", fail)
            with pytest.raises(BlobStoreUnavailable):
                await trail.seal()
            findings, counted = await trail.verify()
            assert (findings, counted.unanchored_batches) == ([], 1)
        assert (await trail.seal()).anchored == 1
        await everything_is_sealed_once(trail)

    async def test_between_anchoring_and_noting_it(
        self, trail: Trail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object) -> None:
            raise BlobStoreUnavailable("away")

        await trail.write("one")
        with monkeypatch.context() as away:
            away.setattr(audit_seals, "mark_anchored", fail)
            with pytest.raises(BlobStoreUnavailable):
                await trail.seal()
        (key,) = await trail.keys()
        body = await trail.blobs.get(key)
        assert (await trail.seal()).anchored == 1
        assert (await trail.keys(), await trail.blobs.get(key)) == ([key], body)
        await everything_is_sealed_once(trail)

    async def test_changed_before_it_was_anchored(
        self, trail: Trail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object) -> None:
            raise BlobStoreUnavailable("away")

        await trail.write("one")
        with monkeypatch.context() as away:
            away.setattr(sealing, "put_anchor", fail)
            with pytest.raises(BlobStoreUnavailable):
                await trail.seal()
        await trail.tamper(text("UPDATE audit_entry SET message = 'other'"))
        await trail.seal()
        assert await trail.faults() == [("changed", 1, None)]


async def test_counts_what_is_not_sealed(trail: Trail) -> None:
    await trail.sealed(["one"])
    await trail.write("two", "three")
    async with trail.catalogue.reading() as transaction:
        assert await count_unsealed(transaction) == 2
