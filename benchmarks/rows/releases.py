"""The next real release of a library: bytes on the wire, where the one before is stored already.

Against the registry's own archive, and against restic and casync, which get the same two states of one folder
that is updated in place. All bytes are counted where they leave the client: at a relay before the node, at a
relay before MinIO for restic, in casync's ``ssh``.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.packages import archive, unpack, update
from benchmarks.relay import relay_to
from benchmarks.results import Measured
from benchmarks.rivals import rivals
from benchmarks.sizes import ReleasePair
from benchmarks.stage import Bench, Place
from longshore_client import Client
from tests.services.processes import ServerProcess


async def measure(bench: Bench) -> Measured:
    pairs: list[dict[str, Any]] = []
    with bench.place() as place:
        async with place.server() as server:
            for pair in bench.sizes.releases:
                sent = await _one_pair(bench, place, server, pair)
                pairs.append({"pair": str(pair), **sent})
                told = ", ".join(f"{name} {count:,}" for name, count in sent.items())
                bench.say(f"{pair}: bytes on the wire: {told}")
    figures = {
        "releases.archive": [100 * pair["longshore"] / pair["archive"] for pair in pairs],
        # Without both rivals there is no better one of the two.
        "releases.wire": [
            pair["longshore"] / min(pair["restic"], pair["casync"])
            for pair in pairs
            if {"restic", "casync"} <= pair.keys()
        ],
    }
    return Measured({name: values for name, values in figures.items() if values}, {"pairs": pairs})


async def _one_pair(bench: Bench, place: Place, server: ServerProcess, pair: ReleasePair) -> dict[str, int]:
    with bench.place() as rivals_place, rivals(rivals_place, bench.say) as others:
        tree, newer = lay_pair(pair, place)
        await sent_bytes(server, tree)
        for rival in others:
            await asyncio.to_thread(rival.store, tree)
        await asyncio.to_thread(update, tree, newer)
        sent = {"longshore": await sent_bytes(server, tree)}
        for rival in others:
            sent[rival.name] = await asyncio.to_thread(rival.store, tree)
    return {**sent, "archive": archive(pair.newer).stat().st_size}


def lay_pair(pair: ReleasePair, place: Place) -> tuple[Path, Path]:
    """Lay both releases; returns where the older and the newer one are."""
    folder = Path(tempfile.mkdtemp(prefix="releases-", dir=place.folder))
    older, newer = folder / "older", folder / "newer"
    unpack(pair.older, older)
    unpack(pair.newer, newer)
    return older, newer


async def sent_bytes(server: ServerProcess, tree: Path, project: str | None = None) -> int:
    """Deploy a tree by a new client; returns the bytes that it has sent.

    Without a ``project`` it is the one that the tree's manifest names, and so is the version.
    """
    with relay_to(server.address) as relay:
        async with Client(relay.address) as client:
            await client.deploy(tree, project=project)
        return relay.sent_bytes
