"""Retention removes what is old and stays provable; whatever else goes in its name is found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import TextClause, text

from longshore_storage.auditing import Fault
from longshore_storage.auditing.proof import head
from longshore_storage.catalogue import tables

from .trails import Trail

A_DAY = timedelta(days=1)
FOREVER = None
LATE = timedelta(days=365)


async def test_whole_batches_go_and_the_chain_stays(trail: Trail) -> None:
    await trail.sealed_before(2 * A_DAY, ["one", "two"], ["three"])
    await trail.sealed(["young"])
    assert (await trail.seal(3 * A_DAY)).removed == 0
    assert (await trail.seal(A_DAY)).removed == 3
    young, told = await trail.entries()
    assert (told.action, told.principal, told.reason) == ("audit.removed", "node:one", "RETENTION")
    assert "batches 1 to 2" in told.message
    assert [seal.removal_id for seal in await trail.seals()] == [told.id, told.id, None]
    findings, counted = await trail.verify(keep_for=A_DAY)
    assert (findings, counted.removed_batches, counted.unsealed_entries) == ([], 2, 1)
    await trail.seal()
    assert await trail.faults(keep_for=A_DAY) == []
    assert young.message == "young"


async def test_what_tells_of_it_goes_in_its_turn(trail: Trail) -> None:
    await trail.sealed_before(30 * A_DAY, ["one"], ["two"])
    await trail.remove_before(20 * A_DAY, 1, 2)
    await trail.seal_before(20 * A_DAY)
    assert await trail.faults(keep_for=5 * A_DAY) == []
    assert (await trail.seal(5 * A_DAY)).removed == 1
    (told,) = await trail.entries()
    assert "batches 3 to 3" in told.message
    assert await trail.faults(keep_for=5 * A_DAY) == []
    assert await trail.faults(keep_for=LATE) == [(Fault.REMOVED, number, None) for number in (1, 2, 3)]


async def test_removed_by_two_at_once(trail: Trail) -> None:
    await trail.sealed_before(2 * A_DAY, ["one"], ["two"], ["three"])
    reports = await asyncio.gather(*(trail.seal(A_DAY) for _ in range(3)))
    assert sum(report.removed for report in reports) == 3
    assert await trail.faults(keep_for=A_DAY) == []


async def test_what_is_younger_than_it_may_be_did_not_go_by_retention(trail: Trail) -> None:
    """As whoever has the application's rights does it: the database cannot know the settings."""
    await trail.sealed_before(10 * A_DAY, ["one"])
    await trail.seal(A_DAY)
    assert await trail.faults(keep_for=10 * A_DAY) == []
    for keep_for in (FOREVER, 11 * A_DAY):
        assert await trail.faults(keep_for=keep_for) == [(Fault.REMOVED, 1, None)]


async def test_an_entry_in_a_batch_that_was_removed(trail: Trail) -> None:
    await trail.sealed_before(2 * A_DAY, ["one"])
    before = await trail.copy()
    await trail.seal(A_DAY)
    await trail.tamper(tables.audit_entry.insert().values(**before["audit_entry"][0]))
    assert await trail.faults(keep_for=A_DAY) == [(Fault.INSERTED, 1, before["audit_entry"][0]["id"])]


class TestForged:
    """By who owns the tables, or writes the file: what the triggers would refuse, too."""

    async def test_a_removal_that_nothing_tells_of(self, trail: Trail) -> None:
        await trail.sealed_before(2 * A_DAY, ["one"], ["two"])
        await trail.tamper(
            text("UPDATE audit_seal SET removal_id = 77 WHERE number = 1"),
            text("DELETE FROM audit_entry WHERE message = 'one'"),
        )
        assert await trail.faults(keep_for=A_DAY) == [(Fault.REMOVED, 1, None)]

    async def test_a_removal_that_an_earlier_entry_told(self, trail: Trail) -> None:
        await trail.sealed_before(30 * A_DAY, ["old"])
        await trail.remove_before(20 * A_DAY, 1)
        await trail.seal_before(20 * A_DAY)
        await trail.sealed_before(10 * A_DAY, ["evil"])
        await trail.tamper(*gone("evil", of=3, told_by=2))
        assert await trail.faults(keep_for=A_DAY) == [(Fault.REMOVED, 3, None)]

    async def test_a_removal_that_an_entry_told_of_other_batches(self, trail: Trail) -> None:
        await trail.sealed_before(30 * A_DAY, ["old"], ["evil"])
        await trail.remove_before(20 * A_DAY, 1)
        await trail.tamper(*gone("evil", of=2, told_by=3))
        assert await trail.faults(keep_for=A_DAY) == [(Fault.REMOVED, 2, None)]

    async def test_what_told_of_it_is_gone_and_nothing_tells_of_that(self, trail: Trail) -> None:
        await trail.sealed_before(30 * A_DAY, ["one"])
        await trail.remove_before(20 * A_DAY, 1)
        await trail.seal_before(20 * A_DAY)
        await trail.tamper(text("DELETE FROM audit_entry"))
        assert await trail.faults(keep_for=A_DAY) == [(Fault.REMOVED, 1, None), (Fault.REMOVED, 2, 2)]

    async def test_an_entry_that_tells_before_its_time(self, trail: Trail) -> None:
        """Found while it waits, and when it is sealed: the seal has the time that it was."""
        await trail.sealed_before(2 * A_DAY, ["one"])
        await trail.remove_before(-LATE, 1)
        assert await trail.faults(keep_for=30 * A_DAY) == [(Fault.REMOVED, 1, None)]
        await trail.seal()
        assert await trail.faults(keep_for=30 * A_DAY) == [(Fault.REMOVED, 1, None)]

    @pytest.mark.parametrize("age", [30 * A_DAY, -LATE])
    async def test_a_seal_that_says_another_time(self, trail: Trail, age: timedelta) -> None:
        """Neither is what it seals old at once, nor what tells of a removal late enough."""
        await trail.sealed(["one"], ["two"])
        chain, (_, second) = await trail.chain(), await trail.seals()
        moved = replace(second, time=second.time - age)
        seal = tables.audit_seal
        await trail.tamper(
            seal.update()
            .where(seal.c.number == 2)
            .values(time=moved.time, head=head(moved, chain), anchor_time=None)
        )
        await trail.seal()
        # Of the two heads that are anchored then, the one that was sealed first is the other one.
        assert await trail.faults() == [(Fault.REWRITTEN, 2, None), (Fault.FORKED, 2, None)]

    async def test_a_clock_that_was_set_back(self, trail: Trail) -> None:
        await trail.sealed(["one"])
        await trail.sealed_before(timedelta(hours=1), ["two"])
        assert await trail.faults() == []


def gone(message: str, *, of: int, told_by: int) -> Sequence[TextClause]:
    """The only entry of a batch is removed, by what another one says."""
    return (
        text(f"UPDATE audit_seal SET removal_id = {told_by} WHERE number = {of}"),
        text(f"DELETE FROM audit_entry WHERE message = '{message}'"),
    )
