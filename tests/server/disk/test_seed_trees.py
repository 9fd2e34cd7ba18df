"""What it takes to look through a seed: little memory, whatever its size."""

from __future__ import annotations

import os
import tracemalloc

from longshore_bundles import FileDigests
from longshore_chunks import Codec, PlacedChunk
from longshore_server.disk import ChunkListWriter, DataFolder, InstalledTrees, Layout, SeedTrees

from .places import new_staging

CHUNKS, LENGTH = 20_000, 64 * 1024


def test_memory_does_not_grow_with_the_payload(folder: DataFolder, trees: InstalledTrees) -> None:
    staging = new_staging(folder, "large")
    (staging / "tree").mkdir()
    with (staging / "tree" / "file").open("wb") as file:
        file.truncate(CHUNKS * LENGTH)
    digests = FileDigests()
    digests.add("file", bytes(32))
    placed = [PlacedChunk(os.urandom(32), "pack", 0, LENGTH, LENGTH, Codec.RAW) for _ in range(CHUNKS)]
    with ChunkListWriter(staging / "chunks", Layout.SINGLE_FILE) as chunk_list:
        chunk_list.add(0, placed)
        assert chunk_list.finish(CHUNKS * LENGTH)
    tree = trees.finalise(
        staging / "tree",
        project="p",
        version="1.0.0",
        payload_sha256="ab" * 32,
        content_sha256="cd" * 32,
        is_canonical=True,
        file_digests=digests,
        chunk_list=staging / "chunks",
    )
    scratch = new_staging(folder, "scratch")
    tracemalloc.start()
    try:
        with SeedTrees.open([tree], scratch) as seeds:
            found = seeds.read(placed[-8:])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == {chunk.digest: bytes(LENGTH) for chunk in placed[-8:]}
    # Of 1.2 GiB: eight chunks, and a few pages.
    assert peak_bytes < 2 << 20
    assert list(scratch.iterdir()) == []
