"""Thousands of streams: looking after them costs next to nothing while nobody's rights change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from longshore_server.access.callers import Caller, Identity
from longshore_server.access.open_streams import OpenStreams
from longshore_server.access.rights import EVERY_RIGHT, Rights
from longshore_server.access.static_tokens import StaticTokens
from longshore_server.refusal import Refusal
from longshore_storage.catalogue import Catalogue

NO_RIGHT = Rights([])


@asynccontextmanager
async def _open(streams: OpenStreams, number: int) -> AsyncIterator[list[asyncio.Task[None]]]:
    async def serve(name: str) -> None:
        with streams.entered(Caller(Identity(name), EVERY_RIGHT)):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(serve(f"p{each}")) for each in range(number)]
    await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_rights_are_asked_for_when_they_may_have_changed(catalogue: Catalogue) -> None:
    asked: list[str] = []

    taken_away = ""

    def rights_of(identity: Identity) -> Rights:
        asked.append(identity.principal)
        return NO_RIGHT if identity.principal == taken_away else EVERY_RIGHT

    streams = OpenStreams(StaticTokens(catalogue, fresh_s=1), rights_of)
    async with _open(streams, 1000) as tasks:
        # Once each, when they came.
        asked.clear()
        taken_away = "p7"
        await streams.look(rights_changed=False)
        assert not asked
        await streams.look(rights_changed=True)
        assert len(asked) == 1000
        await asyncio.wait([tasks[7]])
        assert sum(task.done() for task in tasks) == 1


async def test_who_was_let_in_by_other_rights_does_not_begin_to_wait(catalogue: Catalogue) -> None:
    """What has changed before nobody would look at again."""
    streams = OpenStreams(StaticTokens(catalogue, fresh_s=1), lambda _: NO_RIGHT)
    with pytest.raises(Refusal, match="changed"), streams.entered(Caller(Identity("p"), EVERY_RIGHT)):
        pass


async def test_others_are_served_while_many_are_looked_at(catalogue: Catalogue) -> None:
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    streams = OpenStreams(StaticTokens(catalogue, fresh_s=1), lambda _: EVERY_RIGHT)
    async with _open(streams, 100):
        served = asyncio.create_task(another())
        await streams.look(rights_changed=True)
        served.cancel()
    assert turns > 50
