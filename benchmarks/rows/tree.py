"""A real tree, directory → durable, against ``tar czf`` and ``fput_object`` of the .tgz.

Both sides take turns; every upload of ours is the first one that a new node with an empty bucket sees of the
tree. What is stored is all of the bucket: pack files, their indexes and the manifest.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from benchmarks.packages import unpack
from benchmarks.results import Measured
from benchmarks.rivals import make_tgz
from benchmarks.sizes import Sizes
from benchmarks.stage import Bench
from longshore_client import Client


def lay_tree(sizes: Sizes, folder: Path) -> Path:
    """The tree: several packages side by side, as in ``node_modules``."""
    tree = folder / "tree"
    for package in sizes.tree:
        unpack(package, tree / package.name)
    return tree


def files_of(tree: Path) -> list[Path]:
    return [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]


async def measure(bench: Bench) -> Measured:
    tree = await asyncio.to_thread(lay_tree, bench.sizes, bench.folder / "tree-row")
    sizes_bytes = [path.stat().st_size for path in files_of(tree)]
    ours: list[float] = []
    theirs: list[float] = []
    stored: list[int] = []
    tgz_bytes = 0
    for number in range(bench.sizes.pairs):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            if side == "ours":
                seconds, stored_bytes = await _ours(bench, tree)
                ours.append(round(seconds, 3))
                stored.append(stored_bytes)
            else:
                seconds, tgz_bytes = await asyncio.to_thread(_theirs, bench, tree)
                theirs.append(round(seconds, 3))
        bench.say(
            f"tar czf and fput_object {theirs[-1]:.2f} s, longshore {ours[-1]:.2f} s, "
            f"{theirs[-1] / ours[-1]:.2f} ×; stored {stored[-1] / tgz_bytes:.3f} of the .tgz"
        )
    return Measured(
        {
            "tree.speed": [their_s / our_s for our_s, their_s in zip(ours, theirs, strict=True)],
            "tree.stored": [stored_bytes / tgz_bytes for stored_bytes in stored],
        },
        {
            "packages": [str(package) for package in bench.sizes.tree],
            "files": len(sizes_bytes),
            "size_bytes": sum(sizes_bytes),
            "tgz_bytes": tgz_bytes,
            "stored_bytes": statistics.median(stored),
            "longshore_s": ours,
            "tar_and_fput_object_s": theirs,
        },
    )


async def _ours(bench: Bench, tree: Path) -> tuple[float, int]:
    with bench.place() as place:
        async with place.server() as server, Client(server.address) as client:
            # A node that runs for a while has its connections and threads.
            small = place.folder / "small"
            small.write_bytes(b"warm")
            await client.deploy(small, project="warm")
            before = place.stored_bytes()
            begun = time.perf_counter()
            await client.deploy(tree, project="bench")
            return time.perf_counter() - begun, place.stored_bytes() - before


def _theirs(bench: Bench, tree: Path) -> tuple[float, int]:
    with bench.place() as place:
        path = place.folder / "tree.tgz"
        sdk = place.sdk()
        begun = time.perf_counter()
        size_bytes = make_tgz(tree, path)
        sdk.fput_object(place.bucket, "tree.tgz", str(path))
        return time.perf_counter() - begun, size_bytes
