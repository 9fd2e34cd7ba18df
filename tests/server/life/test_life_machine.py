"""A deployment's life as a property: commands of several callers in any order, deaths between any two writes.

Whatever happens, the rows hold together (``audit``), and once nothing is cut off any more everything comes
to its end. ``LONGSHORE_MACHINE_FACTOR=50`` plays fifty times as many examples, new ones each time.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given

from tests.storage.machine.examples import examples
from tests.storage.machine.places import NewPlace, folders, places, postgres_databases, sqlite_databases

from .audit import audit, audit_the_end
from .steps import step_lists
from .world import Step, opened_world


def test_on_sqlite(tmp_path: Path) -> None:
    _play_examples(places(sqlite_databases(tmp_path), folders, threaded=False), 25)


def test_on_postgresql(postgres_database: str) -> None:
    _play_examples(places(postgres_databases(postgres_database), folders), 4)


def _play_examples(new_place: NewPlace, count: int) -> None:
    @examples(count)
    @given(step_lists())
    def run(steps: list[Step]) -> None:
        with new_place() as place:
            asyncio.run(_play(place.database_url, steps))

    run()


async def _play(database_url: str, steps: list[Step]) -> None:
    async with opened_world(database_url) as world:
        for step in steps:
            await step.take(world)
            await audit(world)
        await world.come_to_the_end()
        await audit_the_end(world)
