"""Small edits as a peer sees them: 1 % of a tree's files have a new line, and it has the release before.

What it fetches is counted on its line to the blob store, answers' heads and the manifest included; the
payload compressed is what ``tar czf`` makes of the edited tree.
"""

from __future__ import annotations

import asyncio

from benchmarks.content import edited_copy
from benchmarks.peers import cluster, live_everywhere
from benchmarks.results import Measured
from benchmarks.rivals import make_tgz
from benchmarks.services import Services, services
from benchmarks.stage import Bench
from longshore_client import Client

from .tree import lay_tree

_SHARE = 0.01


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    on_the_line: list[int] = []
    told: list[int] = []
    archives: list[int] = []
    edited = 0
    async with (
        cluster(bench, started, ["default"]) as nodes,
        Client(nodes.receiver.address) as client,
    ):
        folder = nodes.place.folder
        tree = await asyncio.to_thread(lay_tree, bench.sizes, folder)
        first = await client.deploy(tree, project="bench")
        await live_everywhere(client, first.deployment_id, 1)
        for seed in range(bench.sizes.pairs):
            copy = folder / f"edited-{seed}"
            edited = await asyncio.to_thread(edited_copy, tree, copy, share=_SHARE, seed=seed)
            before = nodes.fetched_bytes
            deployment = await client.deploy(copy, project="bench")
            (activation,) = await live_everywhere(client, deployment.deployment_id, 1)
            on_the_line.append(nodes.fetched_bytes - before)
            told.append(activation.fetched_bytes)
            archives.append(await asyncio.to_thread(make_tgz, copy, folder / "edited.tgz"))
            bench.say(f"{edited} files edited: {on_the_line[-1]:,} bytes fetched, .tgz {archives[-1]:,}")
    return Measured(
        {"peer-edits.fetched": [100 * ours / tgz for ours, tgz in zip(on_the_line, archives, strict=True)]},
        {
            "edited_files": edited,
            "fetched_bytes": on_the_line,
            "told_fetched_bytes": told,
            "tgz_bytes": archives,
        },
    )
