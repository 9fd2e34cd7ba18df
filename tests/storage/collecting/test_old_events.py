"""Old events are compacted to the changes of status; whoever reads knows at any moment what is missing."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, insert, select, update

from longshore_storage.catalogue import Catalogue, Transaction, open_catalogue, tables
from longshore_storage.catalogue.journal import append_event, change_status, events_after
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.old_events import count_old
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import old_events
from tests.storage.catalogue.rows import insert_a_deployment
from tests.storage.conftest import connections_in_use

S = DeploymentStatus
MONTH = timedelta(days=30)
HOOK_RUNS = 5


@pytest.fixture
async def catalogue(database_url: str) -> AsyncIterator[Catalogue]:
    """A catalogue with nothing in it."""
    catalogue = open_catalogue(database_url)
    try:
        yield catalogue
        assert connections_in_use(catalogue) == 0
    finally:
        await catalogue.close()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_events, "_FIRST_PAGE", 3)
    monkeypatch.setattr(old_events, "_LARGEST_PAGE", 3)
    monkeypatch.setattr(old_events, "_HOOK_RUNS_AT_ONCE", 2)
    monkeypatch.setattr(old_events, "_DEPLOYMENTS_AT_ONCE", 2)


class Story:
    """What a deployment has told, as a model of its rows."""

    def __init__(self, deployment_id: str) -> None:
        self.id = deployment_id
        self.kinds: list[str] = ["status_changed"]

    @property
    def phases(self) -> set[int]:
        return {number for number, kind in enumerate(self.kinds, 1) if kind == "status_changed"}


async def tell(transaction: Transaction, seed: int, *, ended: bool = True, age: timedelta = MONTH) -> Story:
    """A deployment that goes its way, with events of other kinds between, and ended so long ago."""
    chance = random.Random(seed)
    story = Story(await insert_a_deployment(transaction))
    way = [S.PENDING, S.RECEIVING, S.VALIDATING, S.QUEUED, S.ROLLING_OUT, *([S.SUCCEEDED] if ended else [])]
    for before, after in pairwise(way):
        for _ in range(chance.randrange(4)):
            await append_event(transaction, story.id, "nodes_stepped", "", {}, expected=(before,))
            story.kinds.append("nodes_stepped")
        await change_status(
            transaction, story.id, expected=(before,), to=after, actor=Actor("tests"), action="test"
        )
        story.kinds.append("status_changed")
    d = tables.deployment
    when = await transaction.now() - age
    values = {"create_time": when, **({"end_time": when} if ended else {})}
    await transaction.execute(update(d).where(d.c.id == story.id).values(**values))
    return story


async def run_hooks(transaction: Transaction, story: Story) -> None:
    """Rows of hooks that have ended, and one that runs."""
    key = {"node_id": "n", "environment": "default", "project": "netops", "generation": 1}
    await transaction.execute(
        insert(tables.activation).values(
            **key,
            node_name="n",
            deployment_id=story.id,
            status="LIVE",
            report_time=await transaction.now(),
        )
    )
    runs = [
        {
            **key,
            "number": number,
            "deployment_id": story.id,
            "node_name": "n",
            "hook": "h",
            "kind": "CHECK",
            "taking_back": False,
            "lines": [],
            "line_count": 0,
            # A node that died in a hook never told its end.
            "ended": number > 0,
            "exit_code": None,
            "outcome": "",
            "told_lines": 0,
            "told_ended": False,
        }
        for number in range(HOOK_RUNS)
    ]
    await transaction.execute(insert(tables.hook_output), runs)


async def compacted_through(transaction: Transaction, story: Story) -> int:
    d = tables.deployment
    row = await transaction.one(select(d.c.compacted_through, d.c.last_sequence).where(d.c.id == story.id))
    assert row is not None
    assert row.last_sequence == len(story.kinds)
    return int(row.compacted_through)


async def check_told(catalogue: Catalogue, stories: Collection[Story]) -> None:
    """What is not said to be compacted is whole, and what is has its changes of status."""
    for story in stories:
        async with catalogue.reading() as transaction:
            through = await compacted_through(transaction, story)
            found = {event.sequence: event.kind for event in await events_after(transaction, story.id, 0, 99)}
        whole = {number for number in range(1, len(story.kinds) + 1) if number > through}
        assert found.keys() == whole | story.phases
        assert all(story.kinds[number - 1] == kind for number, kind in found.items())


async def drain(catalogue: Catalogue) -> tuple[int, int]:
    dropped = [page async for page in old_events.compact_old_events(catalogue, MONTH / 2)]
    return sum(page.events for page in dropped), sum(page.hook_runs for page in dropped)


class Died(Exception):
    """The process is gone."""


async def test_at_whatever_page_it_dies(catalogue: Catalogue) -> None:
    async with catalogue.transaction() as transaction:
        old = [await tell(transaction, seed) for seed in range(5)]
        await run_hooks(transaction, old[2])
        young = await tell(transaction, 6, age=MONTH / 3)
        unfinished = await tell(transaction, 7, ended=False)
    stories = [*old, young, unfinished]
    async with catalogue.reading() as transaction:
        before = await transaction.now() - MONTH / 2
        events, runs = await count_old(transaction, before=before)
    assert events == sum(len(story.kinds) - len(story.phases) for story in old) > 10
    assert runs == HOOK_RUNS
    transaction_of = catalogue.transaction
    left = 0

    @asynccontextmanager
    async def the_third_dies() -> AsyncIterator[Transaction]:
        nonlocal left
        left -= 1
        async with transaction_of() as transaction:
            yield transaction
            if not left:
                raise Died

    deaths = 0
    while True:
        left = 3
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalogue, "transaction", the_third_dies)
            try:
                await drain(catalogue)
            except Died:
                deaths += 1
                await check_told(catalogue, stories)
                continue
            break
    assert deaths > 5
    await check_told(catalogue, stories)
    async with catalogue.reading() as transaction:
        for story in old:
            assert await compacted_through(transaction, story) == len(story.kinds)
        assert await compacted_through(transaction, young) == 0
        assert await compacted_through(transaction, unfinished) == 0
        assert await count_old(transaction, before=before) == (0, 0)
        left_over = await transaction.one(select(func.count()).select_from(tables.hook_output))
    assert left_over is not None
    assert left_over[0] == 0
    assert await drain(catalogue) == (0, 0)
