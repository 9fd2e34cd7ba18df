"""Installed trees as seeds: chunks of their payloads, read back from the files they were unpacked to.

What a chunk list says of a tree's payload is laid over what the record says of its entries, once; from then
on a chunk is found by its digest and read by its place. Nothing is copied, and nothing is promised: files
that changed give other bytes, trees that went give none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import structlog

from longshore_chunks import ChunkDigest, PlacedChunk

from .chunk_list import Layout, count_chunks, read_chunks, read_layout
from .chunk_table import ChunkPlace, ChunkTable
from .installed_trees import InstalledTree
from .recorded_tar import FileChanged, TarPart, tar_parts
from .tree_record import RecordDamaged, lines_from, recorded_lines

_log = structlog.get_logger(__name__)


class _Seed(NamedTuple):
    root: Path
    layout: Layout
    record: BinaryIO


class SeedTrees:
    """Made by ``open``. Blocking, and not to be used by two threads at once."""

    def __init__(self, table: ChunkTable, seeds: Sequence[_Seed]) -> None:
        self._table = table
        self._seeds = seeds

    @classmethod
    @contextmanager
    def open(cls, trees: Sequence[InstalledTree], scratch: Path) -> Iterator[Self]:
        """Look through what is known of ``trees``; of a chunk that several have, the first one's is read.

        What is damaged or gone is passed over. A table of 80 bytes a chunk is kept in ``scratch``. Raises
        ``OSError`` where it cannot be.
        """
        with ExitStack() as stack:
            table = stack.enter_context(ChunkTable(scratch, sum(map(_listed, trees))))
            seeds: list[_Seed] = []
            for tree in trees:
                try:
                    layout = read_layout(tree.chunk_list_path)
                    if layout is None:
                        continue
                    record = stack.enter_context(tree.record_path.open("rb"))
                    seeds.append(_Seed(tree.path, layout, record))
                    _place_chunks(table, tree, layout, number=len(seeds) - 1)
                except (OSError, RecordDamaged) as error:
                    _log.warning("seed.unusable", tree=tree.path.name, error=str(error))
            yield cls(table, seeds)

    def read(self, chunks: Iterable[PlacedChunk]) -> dict[ChunkDigest, bytes]:
        """What lies where these chunks should, by digest; what is certain to be wrong is left out."""
        found: dict[ChunkDigest, bytes] = {}
        for chunk in chunks:
            place = self._table.find(chunk.digest)
            if place is not None and place.length == chunk.raw_length and chunk.digest not in found:
                try:
                    found[chunk.digest] = self._read(place)
                except (OSError, RecordDamaged, FileChanged):
                    continue
        return found

    def _read(self, place: ChunkPlace) -> bytes:
        seed = self._seeds[place.tree]
        found, skip = bytearray(), place.skip
        for part in tar_parts(lines_from(seed.record, place.position), seed.layout):
            found += part.read(seed.root, skip, place.length - len(found))
            skip = 0
            if len(found) == place.length:
                break
        return bytes(found)


def _listed(tree: InstalledTree) -> int:
    try:
        return count_chunks(tree.chunk_list_path)
    except OSError:
        return 0


def _place_chunks(table: ChunkTable, tree: InstalledTree, layout: Layout, *, number: int) -> None:
    """Find the entry in which each chunk begins; both come in the payload's order."""
    parts = tar_parts(recorded_lines(tree.record_path), layout)
    part, part_begin = TarPart(0, b""), 0
    chunk_begin = 0
    for chunk in read_chunks(tree.chunk_list_path):
        while chunk_begin >= part_begin + part.length:
            part_begin += part.length
            following = next(parts, None)
            if following is None:
                return
            part = following
        place = ChunkPlace(part.position, chunk_begin - part_begin, chunk.length, number)
        table.add(chunk.digest, place)
        chunk_begin += chunk.length
