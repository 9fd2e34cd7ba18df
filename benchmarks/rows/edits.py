"""Small edits: a line put into 1 % of a tree's files, where the tree is stored; bytes on the wire."""

from __future__ import annotations

import asyncio

from benchmarks.content import edited_copy
from benchmarks.results import Measured
from benchmarks.rivals import make_tgz
from benchmarks.stage import Bench

from .releases import sent_bytes
from .tree import lay_tree

_SHARE = 0.01


async def measure(bench: Bench) -> Measured:
    sent: list[int] = []
    archives: list[int] = []
    edited = 0
    with bench.place() as place:
        tree = await asyncio.to_thread(lay_tree, bench.sizes, place.folder)
        async with place.server() as server:
            await sent_bytes(server, tree, "bench")
            for seed in range(bench.sizes.pairs):
                copy = place.folder / f"edited-{seed}"
                edited = await asyncio.to_thread(edited_copy, tree, copy, share=_SHARE, seed=seed)
                sent.append(await sent_bytes(server, copy, "bench"))
                tgz = place.folder / "edited.tgz"
                archives.append(await asyncio.to_thread(make_tgz, copy, tgz))
                bench.say(f"{edited} files edited: {sent[-1]:,} bytes sent, .tgz {archives[-1]:,}")
    return Measured(
        {"edits.wire": [100 * ours / tgz for ours, tgz in zip(sent, archives, strict=True)]},
        {"edited_files": edited, "sent_bytes": sent, "tgz_bytes": archives},
    )
