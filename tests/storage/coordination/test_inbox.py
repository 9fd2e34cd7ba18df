"""Signals that wait for a reader."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from longshore_storage.coordination.inbox import MISSED, SignalInbox


async def drain(inbox: SignalInbox) -> list[str]:
    inbox.close()
    return [ident async for ident in inbox]


@given(st.lists(st.sampled_from(["a", "b", "c", MISSED])))
def test_everything_put_is_covered_once(idents: list[str]) -> None:
    inbox = SignalInbox()
    for ident in idents:
        inbox.put(ident)
    read = asyncio.run(drain(inbox))
    assert read == ([MISSED] if MISSED in idents else list(dict.fromkeys(idents)))


async def test_what_comes_after_reading_is_new() -> None:
    inbox = SignalInbox()
    for ident in ("a", MISSED, "a"):
        inbox.put(ident)
        assert await anext(inbox) == ident
    assert await drain(inbox) == []


async def test_a_reader_waits_for_the_next() -> None:
    inbox = SignalInbox()
    reader = asyncio.ensure_future(anext(inbox))
    await asyncio.sleep(0)
    assert not reader.done()
    inbox.put("a")
    assert await reader == "a"


async def test_too_many_become_one() -> None:
    inbox = SignalInbox()
    for number in range(10_001):
        inbox.put(f"d-{number}")
    assert await drain(inbox) == [MISSED]
