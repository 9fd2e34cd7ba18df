"""Whatever happened before: a run without graces leaves exactly what is named, and all of it."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_storage.catalogue import tables
from longshore_storage.catalogue.rows import Release
from tests.storage.payloads.world import KIB, random_bytes

from .store import Store
from .test_breaking_off import opened

_BLOCKS = [random_bytes(12 * KIB, seed=number) for number in range(4)]
# Payloads of some blocks each, so that they share chunks and pack files.
contents = st.lists(st.sampled_from(range(4)), min_size=1, max_size=3).map(tuple)
projects = st.sampled_from(["netops", "other"])
numbers = st.integers(min_value=0, max_value=7)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("upload"), contents, projects),
        st.tuples(st.just("break off"), contents, projects),
        st.tuples(st.just("record"), numbers),
        st.tuples(st.just("drop"), numbers),
        st.tuples(st.just("reclaim"), numbers),
        st.tuples(st.just("silence"), numbers),
        st.tuples(st.just("collect")),
    ),
    max_size=14,
)


@dataclass
class Model:
    """What is under way and what was released, as the steps made it."""

    store: Store
    uploaded: list[tuple[str, bytes, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    released: list[tuple[Release, bytes]] = field(default_factory=list)
    versions: int = 0

    async def take(self, step: tuple[object, ...]) -> None:
        match step:
            case "upload", tuple(blocks), str(project):
                data = data_of(blocks)
                self.uploaded.append((await self.store.upload(data, project=project), data, project))
            case "break off", tuple(blocks), str(project):
                self.broken.append(await self.store.begin_and_break_off(data_of(blocks), project=project))
            case "record", int(number) if self.uploaded:
                deployment_id, data, project = self.uploaded.pop(number % len(self.uploaded))
                self.versions += 1
                release = await self.store.record(deployment_id, data, f"{self.versions}", project=project)
                self.released.append((release, data))
            case "drop", int(number) if self.uploaded:
                await self.store.drop(self.uploaded.pop(number % len(self.uploaded))[0])
            case "reclaim", int(number) if self.released:
                await self.store.reclaim(self.released.pop(number % len(self.released))[0])
            case "silence", int(number) if self.broken:
                await self.store.silence(self.broken.pop(number % len(self.broken)))
            case ("collect",):
                await self.store.collect()

    async def check(self) -> None:
        for _, data in self.released:
            assert await self.store.is_readable(data)
        for _, data, _ in self.uploaded:
            assert await self.store.is_readable(data)


def data_of(blocks: tuple[object, ...]) -> bytes:
    return b"".join(_BLOCKS[block] for block in blocks if isinstance(block, int))


@settings(max_examples=12, deadline=None)
@given(steps)
def test_the_store_holds_exactly_what_is_named(taken: list[tuple[object, ...]]) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with opened(Path(folder)) as store:
                model = Model(store)
                for step in taken:
                    await model.take(step)
                told = await store.rehearse()
                assert await store.collect() == told
                await model.check()
                assert await store.objects() == await store.named()
                for deployment_id in [*model.broken, *(one[0] for one in model.uploaded)]:
                    await store.drop(deployment_id)
                model.uploaded.clear()
                await store.collect()
                await model.check()
                assert await store.objects() == await store.named()
                assert await store.count(tables.payload) == len({data for _, data in model.released})
                assert await store.count(tables.condemned) == 0

    asyncio.run(play())
