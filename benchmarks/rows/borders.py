"""Whether cuts at the borders of larger files earn their place: the next release's bytes with and without."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.packages import update
from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_client import payloads

from .releases import lay_pair, sent_bytes

_SETTING = "_BORDERED_FILE_BYTES"
_AS_IS = getattr(payloads, _SETTING)


async def measure(bench: Bench) -> Measured:
    sent = {"with": await _sent(bench, _AS_IS), "without": await _sent(bench, sys.maxsize)}
    pairs: list[dict[str, Any]] = []
    for pair, with_bytes, without_bytes in zip(bench.sizes.releases, *sent.values(), strict=True):
        pairs.append({"pair": str(pair), "with": with_bytes, "without": without_bytes})
        bench.say(f"{pair}: {with_bytes:,} bytes with borders, {without_bytes:,} without")
    saved = [100 * (1 - pair["with"] / pair["without"]) for pair in pairs]
    return Measured({"borders.saved": saved}, {"pairs": pairs})


async def _sent(bench: Bench, least_bytes: int) -> list[int]:
    """What every pair's newer release costs where files of ``least_bytes`` and more have borders."""
    sent = []
    with bench.place() as place, _borders_from(least_bytes):
        async with place.server() as server:
            for pair in bench.sizes.releases:
                tree, newer = lay_pair(pair, place)
                await sent_bytes(server, tree)
                await asyncio.to_thread(update, tree, newer)
                sent.append(await sent_bytes(server, tree))
    return sent


@contextmanager
def _borders_from(least_bytes: int) -> Iterator[None]:
    """Let the client, which runs in this process, cut around files of this size and more only."""
    with patch.object(payloads, _SETTING, least_bytes):
        yield
