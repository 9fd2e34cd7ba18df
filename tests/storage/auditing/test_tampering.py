"""Whatever is done to the trail behind our backs is found, and told where it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from longshore_storage.auditing import Fault, Restoration
from longshore_storage.auditing.proof import digest, head, make_seal
from longshore_storage.catalogue import tables
from longshore_storage.catalogue.audit_seals import chain_id

from .trails import Trail

A, S = tables.audit_entry, tables.audit_seal
BATCHES = (("one", "two", "three"), ("four",), ("five", "six"))
TEXTS = [column.name for column in A.columns if column.name not in ("id", "time", "result")]


@pytest.fixture
async def sealed(trail: Trail) -> Trail:
    """Three batches of three, one and two entries."""
    await trail.sealed(*BATCHES)
    return trail


def tamperings() -> st.SearchStrategy[tuple[str, int, Any]]:
    """What is done to which entry, counted from the first."""
    which = st.integers(0, 5)
    words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
    return st.one_of(
        st.tuples(st.sampled_from(TEXTS), which, words),
        st.tuples(st.just("result"), which, st.just("DENIED")),
        st.tuples(st.just("time"), which, st.integers(1, 10**9)),
        st.tuples(st.just("removed"), which, st.none()),
        st.tuples(st.just("inserted"), which, st.none()),
        st.tuples(st.just("swapped"), which, st.integers(0, 5)),
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tampering=tamperings())
async def test_any_change_of_any_entry_is_found(sealed: Trail, tampering: tuple[str, int, Any]) -> None:
    """The database is put back between the examples."""
    kind, at, value = tampering
    before = await sealed.copy()
    entries = sorted(before["audit_entry"], key=lambda row: row["id"])
    entry: dict[str, Any] = entries[at]
    this = A.c.id == entry["id"]
    number = {0: 1, 1: 1, 2: 1, 3: 2, 4: 3, 5: 3}
    expected = [(Fault.CHANGED, number[at], entry["id"])]
    match kind:
        case "removed":
            await sealed.tamper(delete(A).where(this))
            expected = [(Fault.REMOVED, number[at], entry["id"])]
        case "inserted":
            # Ids are dense here, so one moves to where nothing was; before the first is a place, too.
            new = entries[0]["id"] - 1 - at
            await sealed.tamper(insert(A).values(**{**entry, "id": new}))
            expected = [(Fault.INSERTED, 1, new)]
        case "swapped":
            other = entries[value]
            contents = [{key: row[key] for key in row if key != "id"} for row in (entry, other)]
            if contents[0] == contents[1]:
                return
            await sealed.tamper(
                update(A).where(this).values(**contents[1]),
                update(A).where(A.c.id == other["id"]).values(**contents[0]),
            )
            expected = sorted((Fault.CHANGED, number[place], entries[place]["id"]) for place in {at, value})
        case "time":
            await sealed.tamper(
                update(A).where(this).values(time=entry["time"] + timedelta(microseconds=value))
            )
        case _:
            if entry[kind] == value:
                return
            await sealed.tamper(update(A).where(this).values({kind: value}))
    found = await sealed.faults()
    await sealed.restore(before)
    assert found == expected
    assert await sealed.faults() == []


@pytest.mark.parametrize(
    "column", ["first_id", "last_id", "entry_count", "rows_sha256", "previous_head", "head", "time"]
)
async def test_any_change_of_a_seal_is_found(sealed: Trail, column: str) -> None:
    (seal, *_) = [seal for seal in await sealed.seals() if seal.number == 2]
    changed: Any = getattr(seal, column)
    if column == "time":
        changed += timedelta(seconds=1)
    elif isinstance(changed, int):
        changed -= 1
        if column == "last_id":
            # Another seal has that one.
            changed += 100
    else:
        changed = "0" * 64
    await sealed.tamper(update(S).where(S.c.number == 2).values({column: changed}))
    assert (Fault.CHANGED, 2, None) in await sealed.faults()


async def test_a_batch_gone_with_its_seal(sealed: Trail) -> None:
    first, second, third = await sealed.seals()
    await sealed.tamper(
        delete(A).where(A.c.id > first.last_id, A.c.id <= second.last_id), delete(S).where(S.c.number == 2)
    )
    faults = await sealed.faults()
    assert (Fault.REMOVED, 2, None) in faults
    assert (Fault.FORKED, 2, None) in faults
    assert third.number == 3


async def test_the_newest_batches_gone_with_their_seals(sealed: Trail) -> None:
    first = (await sealed.seals())[0]
    await sealed.tamper(delete(A).where(A.c.id > first.last_id), delete(S).where(S.c.number > 1))
    assert await sealed.faults() == [(Fault.FORKED, 2, None), (Fault.FORKED, 3, None)]


async def test_everything_gone(sealed: Trail) -> None:
    await sealed.tamper(delete(A), delete(S), delete(tables.identity))
    assert await sealed.faults() == [(Fault.FORKED, 0, None)]


@pytest.mark.parametrize(
    "name", ["00000000-0000-4000-8000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff"]
)
async def test_a_chain_begun_anew_under_another_name(sealed: Trail, name: str) -> None:
    """The heads of the old one lie there still, before the new ones or behind them."""
    old = await sealed.chain()
    await sealed.tamper(
        delete(S),
        delete(A).where(A.c.message == "two"),
        update(tables.identity).where(tables.identity.c.name == "audit").values(id=name),
    )
    await sealed.seal()
    ((finding, *others), counted) = await sealed.verify()
    assert (finding.fault, finding.batch, others, counted.findings) == (Fault.FORKED, 0, [], 1)
    assert f"3 heads are anchored of the chain {old}" in finding.message


async def test_a_chain_written_anew_does_not_fit_its_anchors(sealed: Trail) -> None:
    """Whoever owns the database can make every seal fit, but not what was anchored."""
    async with sealed.catalogue.reading() as transaction:
        chain = await chain_id(transaction)
    await sealed.tamper(update(A).where(A.c.message == "two").values(message="nothing"))
    entries = await sealed.entries()
    previous, statements = None, []
    for seal in await sealed.seals():
        own = [entry for entry in entries if seal.first_id <= entry.id <= seal.last_id]
        previous = make_seal({entry.id: digest(entry) for entry in own}, previous, chain, seal.time)
        assert head(previous, chain) == previous.head
        statements.append(
            update(S)
            .where(S.c.number == seal.number)
            .values(
                rows_sha256=previous.rows_sha256, previous_head=previous.previous_head, head=previous.head
            )
        )
    await sealed.tamper(*statements)
    faults = await sealed.faults()
    for number in (1, 2, 3):
        assert (Fault.FORKED, number, None) in faults
        assert (Fault.REMOVED, number, None) in faults


async def test_a_head_gone_from_the_blob_store(sealed: Trail) -> None:
    await sealed.blobs.delete((await sealed.keys())[1])
    assert await sealed.faults() == [(Fault.REMOVED, 2, None)]


async def test_without_its_anchor_a_batch_is_told_and_no_entry(sealed: Trail) -> None:
    await sealed.blobs.delete((await sealed.keys())[0])
    await sealed.tamper(update(A).where(A.c.message == "two").values(message="nothing"))
    assert await sealed.faults() == [(Fault.REMOVED, 1, None), (Fault.CHANGED, 1, None)]


class TestRestored:
    async def test_it_goes_on_and_its_forks_are_those_since_the_backup(self, sealed: Trail) -> None:
        backup, taken = await sealed.copy(), await sealed.now()
        await sealed.sealed(["lost"], ["lost too"])
        await sealed.restore(backup)
        restored = await sealed.now()
        await sealed.sealed(["another"])
        assert await sealed.faults() == [(Fault.FORKED, 4, None), (Fault.FORKED, 5, None)]
        assert len(await sealed.keys()) == 6
        known = Restoration(taken, restored)
        findings, _ = await sealed.verify(restorations=[known])
        assert [(each.batch, each.expected) for each in findings] == [(4, True), (5, True)]
        # Another restore, of which nobody told, is not one of these.
        await sealed.restore(backup)
        assert await sealed.faults(restorations=[known]) == [(Fault.FORKED, 4, None)]

    async def test_it_explains_nothing_that_was_sealed_before_the_backup(self, trail: Trail) -> None:
        await trail.sealed_before(timedelta(days=1), ["one"], ["two"])
        await trail.tamper(delete(S).where(S.c.number == 2), delete(A).where(A.c.message == "two"))
        now = await trail.now()
        late = Restoration(now - timedelta(hours=1), now)
        assert await trail.faults(restorations=[late]) == [(Fault.FORKED, 2, None)]
        assert await trail.faults(restorations=[Restoration(now - timedelta(days=2), now)]) == []

    async def test_a_database_made_anew_before_the_old_heads(self, sealed: Trail) -> None:
        await sealed.tamper(delete(A), delete(S), delete(tables.identity))
        anew = Restoration(datetime(1970, 1, 1, tzinfo=UTC), await sealed.now())
        await sealed.sealed(["another"])
        assert await sealed.faults(restorations=[anew]) == []
        # Once more, and the heads since then are missed.
        await sealed.tamper(delete(A), delete(S), delete(tables.identity))
        assert await sealed.faults(restorations=[anew]) == [(Fault.FORKED, 0, None)]

    async def test_a_head_without_a_time_of_its_own_is_not_explained(self, sealed: Trail) -> None:
        """A body that was replaced: the time in it is not what the head is the digest of."""
        *_, key = await sealed.keys()
        body = (await sealed.blobs.get(key)).replace(b'"time":"20', b'"time":"19')
        await sealed.blobs.put(key, [body], crc32c=google_crc32c.value(body))
        await sealed.tamper(delete(A), delete(S), delete(tables.identity))
        anew = Restoration(datetime(1900, 1, 1, tzinfo=UTC), await sealed.now())
        assert await sealed.faults(restorations=[anew]) == [(Fault.FORKED, 0, None)]
