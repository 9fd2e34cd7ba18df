"""Playing an example: step after step with an audit behind each, and then the end of all things."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from longshore_storage.catalogue import tables

from .audit import Audit, audit
from .bucket import MARKS
from .disasters import KEPT_UNNAMED, Land
from .model import Upload
from .tending import Collect, Delete, Read
from .uploading import Send
from .world import Place, Step, World, opened_world

# An upload is given up, or an orphan noted; what they leave is condemned; then it is removed.
_RUNS_TO_THE_END = 3
# What is there for a while only.
_PASSING = (tables.upload, tables.pin, tables.manifest_draft, tables.condemned, tables.orphan)
_MORE_THAN_A_DAY = timedelta(hours=25)


async def play(place: Place, steps: Sequence[Step]) -> None:
    """Take every step, and see that everything comes to its end."""
    async with opened_world(place) as world:
        for step in steps:
            await _take(world, step)
        await _take(world, Land())
        for upload in world.model.unfinished()[::2]:
            await _finish(world, upload)
        for number in range(0, len(world.model.kept()), 2):
            await Delete(number // 2).take(world)
        # By then nobody resumes an upload, and what a rebuild brought back is kept no longer.
        world.clock.wait(KEPT_UNNAMED)
        await _collect_to_the_end(world)
        for number in range(len(world.model.kept())):
            await Read(number).take(world)


async def _take(world: World, step: Step) -> None:
    await step.take(world)
    await world.settle()
    found = await audit(world)
    while world.afterwards:
        world.afterwards.pop()(found)


async def _finish(world: World, upload: Upload) -> None:
    """Whoever goes on with an upload comes to its end, each time past one damaged object at least."""
    for _ in range(2 + len(world.bucket.hurt)):
        if upload.id not in world.model.uploads:
            return
        await _take(world, Send(world.model.unfinished().index(upload)))
    assert upload.id not in world.model.uploads, "the upload cannot be finished"


async def _collect_to_the_end(world: World) -> None:
    """Time passes, and exactly what releases name is left: of rows, and of objects."""
    for number in range(_RUNS_TO_THE_END):
        world.clock.wait(_MORE_THAN_A_DAY)
        await _take(world, Collect(rehearsed=number == 0))
        if not (left := _left_over(world, await audit(world))):
            return
    raise AssertionError(f"left for ever: {left}")


def _left_over(world: World, found: Audit) -> list[str]:
    """Rows that nothing needs, and objects that no such row names."""
    kept = {release.sha256 for release in world.model.kept()}
    named = found.key_rows().keys()
    objects = {key for key in world.bucket.contents if not key.startswith(MARKS)}
    return [
        *(f"payload {row.sha256}" for row in found.rows["payload"] if row.sha256 not in kept),
        *(f"pack file {row.key}" for row in found.unnamed_packs()),
        *(f"object {key}" for key in sorted(objects - named)),
        *(f"a row in {table.name}: {row}" for table in _PASSING for row in found.rows[table.name]),
    ]
