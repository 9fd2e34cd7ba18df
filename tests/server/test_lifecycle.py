"""Status changes under every order of calls: only allowed ones, each with its event and its audit row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from longshore_storage.catalogue import Catalogue, Transaction, deployments, open_catalogue, projects
from longshore_storage.catalogue.audit_trail import list_audit
from longshore_storage.catalogue.journal import StatusMoved, append_event, change_status, events_after
from longshore_storage.catalogue.lifecycle import FOLLOWING, ROLLING, TERMINAL, DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment

STATUSES = st.sampled_from(list(DeploymentStatus))
ACTOR = Actor("tests", "here", "r1")
R = TypeVar("R")


class BreaksOff(Exception):
    """What a transaction meets after its work and before its commit."""


class Lifecycle(RuleBasedStateMachine):
    """One deployment, and what its rows must say after everything that was tried on it."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.catalogue: Catalogue = self.run(_opened(self.url))

    def teardown(self) -> None:
        self.run(self.catalogue.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)

    def transact(self, work: Callable[[Transaction], Coroutine[Any, Any, R]]) -> R:
        async def run() -> R:
            async with self.catalogue.transaction() as transaction:
                return await work(transaction)

        return self.run(run())

    @initialize()
    def accept(self) -> None:
        self.id = str(uuid4())
        self.status = DeploymentStatus.PENDING
        self.events = ["status_changed"]
        self.told = [("", DeploymentStatus.PENDING)]
        self.end_time: datetime | None = None

        async def insert(transaction: Transaction) -> None:
            await projects.ensure_project(transaction, f"p-{self.id}", "")
            await projects.ensure_environment(transaction, "default")
            await deployments.insert_deployment(
                transaction,
                ACTOR,
                id=self.id,
                project=f"p-{self.id}",
                environment="default",
                kind="UPLOAD",
                request_digest="",
                owner_epoch=3,
            )

        self.transact(insert)

    @rule(
        expected=st.sets(STATUSES, min_size=1),
        to=STATUSES,
        owner_epoch=st.sampled_from([None, None, 3, 2, 4]),
        breaks=st.booleans(),
    )
    def change(
        self, expected: set[DeploymentStatus], to: DeploymentStatus, owner_epoch: int | None, breaks: bool
    ) -> None:
        self._change(expected, to, owner_epoch, breaks=breaks)

    @precondition(lambda self: bool(FOLLOWING[self.status]))
    @rule(data=st.data(), breaks=st.sampled_from([False, False, True]))
    def change_as_allowed(self, data: st.DataObject, breaks: bool) -> None:
        to = data.draw(st.sampled_from(sorted(FOLLOWING[self.status])))
        self._change({self.status}, to, data.draw(st.sampled_from([None, 3])), breaks=breaks)

    def _change(
        self, expected: set[DeploymentStatus], to: DeploymentStatus, owner_epoch: int | None, *, breaks: bool
    ) -> None:
        async def change(transaction: Transaction) -> Deployment:
            changed = await change_status(
                transaction,
                self.id,
                expected=expected,
                to=to,
                actor=ACTOR,
                action="test.changed",
                reason="because",
                message="a sentence",
                owner_epoch=owner_epoch,
            )
            if breaks:
                raise BreaksOff
            return changed

        if any(to not in FOLLOWING[status] for status in expected):
            with pytest.raises(ValueError):
                self.transact(change)
        elif self.status not in expected or owner_epoch not in (None, 3):
            with pytest.raises(StatusMoved):
                self.transact(change)
        elif breaks:
            with pytest.raises(BreaksOff):
                self.transact(change)
        else:
            changed = self.transact(change)
            self.told.append((self.status, to))
            self.status = to
            self.events.append("status_changed")
            assert changed.status is to
            assert (changed.status_reason, changed.status_message) == ("because", "a sentence")
            if to in TERMINAL:
                assert changed.end_time is not None
                self.end_time = changed.end_time

    @rule(expected=st.sampled_from([set(ROLLING), {DeploymentStatus.VALIDATING}, set(DeploymentStatus)]))
    def tell(self, expected: set[DeploymentStatus]) -> None:
        async def append(transaction: Transaction) -> Deployment:
            return await append_event(
                transaction, self.id, "nodes_stepped", "steps", {"steps": []}, expected=expected
            )

        if self.status in expected:
            assert self.transact(append).status is self.status
            self.events.append("nodes_stepped")
        else:
            with pytest.raises(StatusMoved):
                self.transact(append)

    @rule()
    def change_two_at_once(self) -> None:
        """Of two who try the same change, one makes it."""
        allowed = sorted(FOLLOWING[self.status])
        if not allowed:
            return

        async def change() -> None:
            async with self.catalogue.transaction() as transaction:
                await change_status(
                    transaction, self.id, expected=[self.status], to=allowed[0], actor=ACTOR, action="race"
                )

        async def race() -> Sequence[BaseException | None]:
            return await asyncio.gather(change(), change(), return_exceptions=True)

        outcomes = self.run(race())
        assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", "StatusMoved"]
        self.told.append((self.status, allowed[0]))
        self.events.append("status_changed")
        self.status = allowed[0]
        if self.status in TERMINAL:
            self.end_time = self.transact(self._row).end_time

    async def _row(self, transaction: Transaction) -> Deployment:
        row = await deployments.get_deployment(transaction, self.id)
        assert row is not None
        return row

    @invariant()
    def rows_say_what_happened(self) -> None:
        async def look(transaction: Transaction) -> None:
            row = await self._row(transaction)
            assert (row.status, row.end_time) == (self.status, self.end_time)
            assert (row.end_time is not None) == (row.status in TERMINAL)
            assert row.last_sequence == len(self.events)
            events = await events_after(transaction, self.id, 0, 1000)
            assert [event.sequence for event in events] == list(range(1, len(self.events) + 1))
            assert [event.kind for event in events] == self.events
            changes = [
                (event.body["from_status"], event.body["to_status"])
                for event in events
                if event.kind == "status_changed"
            ]
            assert changes == self.told
            audit = await list_audit(transaction, deployment_id=self.id, limit=1000)
            assert [(entry.from_status, entry.to_status) for entry in reversed(audit)] == self.told
            assert {(entry.principal, entry.peer, entry.request_id) for entry in audit} == {
                ("tests", "here", "r1")
            }

        self.transact(look)


async def _opened(url: str) -> Catalogue:
    catalogue = open_catalogue(url)
    await catalogue.migrate()
    return catalogue


def test_status_changes(database_url: str) -> None:
    class OnThisDatabase(Lifecycle):
        url = database_url

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_every_status_is_reached_and_left() -> None:
    reached = {DeploymentStatus.PENDING}
    while more := {to for status in reached for to in FOLLOWING[status]} - reached:
        reached |= more
    assert reached == set(FOLLOWING) == set(DeploymentStatus)
    assert {status for status in DeploymentStatus if not FOLLOWING[status]} == TERMINAL
