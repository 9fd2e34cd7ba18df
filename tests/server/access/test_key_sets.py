"""An issuer that does not answer: those who call meanwhile do not wait for one attempt behind the other."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from longshore_server.access.jwks import KeySet
from longshore_storage.errors import Unavailable

from .issuer import Issuer


async def test_one_attempt_is_that_of_all_who_wait() -> None:
    attempts = 0

    def read() -> bytes:
        nonlocal attempts
        attempts += 1
        raise OSError("connection refused")

    keys = KeySet("https://identity.example", read, fresh_s=300)
    answers = await asyncio.gather(*(keys.key("first") for _ in range(50)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert attempts == 1


async def test_keys_that_are_known_do_not_wait_for_a_look(tmp_path: Path) -> None:
    content = Issuer(tmp_path).jwks_file.read_bytes()
    looked, answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    looks = 0

    def read() -> bytes:
        nonlocal looks
        looks += 1
        if looks > 1:
            loop.call_soon_threadsafe(looked.set)
            answer.wait(20)
        return content

    keys = KeySet("https://identity.example", read, fresh_s=0)
    assert await keys.key("first") is not None
    again = asyncio.create_task(keys.key("first"))
    await looked.wait()
    try:
        async with asyncio.timeout(10):
            assert await keys.key("first") is not None
    finally:
        answer.set()
    assert await again is not None


async def test_a_set_that_cannot_be_read_for_long_is_none(tmp_path: Path) -> None:
    contents = [Issuer(tmp_path).jwks_file.read_bytes(), b"{"]
    keys = KeySet("https://identity.example", lambda: contents.pop(0), fresh_s=0, good_for_s=0)
    assert await keys.key("first") is not None
    with pytest.raises(Unavailable):
        await keys.key("first")
    assert not contents


async def test_a_set_that_is_broken_later_leaves_the_one_before(tmp_path: Path) -> None:
    unsigned = {"kty": "RSA", "alg": "none", "kid": "first"}
    contents = [
        Issuer(tmp_path).jwks_file.read_bytes(),
        b"{",
        b"[" * 100_000,
        json.dumps({"keys": []}).encode(),
        json.dumps({"keys": [unsigned]}).encode(),
    ]
    keys = KeySet("https://identity.example", lambda: contents.pop(0), fresh_s=0)
    while contents:
        assert await keys.key("first") is not None
