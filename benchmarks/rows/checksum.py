"""``content_sha256`` of a tree against ``tar cf - TREE | sha256sum``, the same files for both in turn.

All of it is in the page cache: what is compared is the work, not the disk.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import time
from pathlib import Path

from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_bundles import directory_checksum

_FILES_IN_A_DIRECTORY = 100


async def measure(bench: Bench) -> Measured:
    return await asyncio.to_thread(_measure, bench)


def _measure(bench: Bench) -> Measured:
    tree = bench.folder / "checksum-row"
    size_bytes = _lay(tree, bench.sizes.checksummed_files, bench.sizes.payload_bytes)
    ours: list[float] = []
    theirs: list[float] = []
    _ours(tree)
    for number in range(bench.sizes.pairs):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            (ours if side == "ours" else theirs).append(_ours(tree) if side == "ours" else _theirs(tree))
        bench.say(f"tar | sha256sum {theirs[-1]:.2f} s, longshore {ours[-1]:.2f} s")
    return Measured(
        {"checksum.time": [our_s / their_s for our_s, their_s in zip(ours, theirs, strict=True)]},
        {
            "files": bench.sizes.checksummed_files,
            "size_bytes": size_bytes,
            "longshore_s": [round(each, 3) for each in ours],
            "tar_and_sha256sum_s": [round(each, 3) for each in theirs],
        },
    )


def _lay(tree: Path, files: int, size_bytes: int) -> int:
    chance = random.Random(1)
    each_bytes = size_bytes // files
    for number in range(files):
        path = tree / f"{number // _FILES_IN_A_DIRECTORY:04d}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(each_bytes))
    return files * each_bytes


def _ours(tree: Path) -> float:
    begun = time.perf_counter()
    directory_checksum(tree)
    return time.perf_counter() - begun


def _theirs(tree: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", 'tar cf - -C "$1" . | sha256sum', "bash", str(tree)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun
