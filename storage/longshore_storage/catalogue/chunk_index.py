"""The index of chunks by (project, digest): what a project need not send or store again.

Only an index: a payload's chunks are what its manifest names. Every row lies in a stored pack file, and
goes with it.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql

from longshore_chunks import ChunkDigest, Codec, PlacedChunk

from . import tables
from .catalogue import Transaction
from .prepared import Prepared, PreparedForSome

_c = tables.chunk
# Below every database's limit of parameters in a statement.
_DIGESTS_AT_ONCE = 1000
_FIND = PreparedForSome(
    lambda digests: select(_c).where(_c.c.project == bindparam("of"), _c.c.digest.in_(digests))
)
# Of the two dialects that have it, SQLite's compiler takes PostgreSQL's construct, too.
_ADD = Prepared(postgresql.insert(_c).on_conflict_do_nothing(), _c.c.keys())


async def find_chunks(
    transaction: Transaction, project: str, digests: Collection[ChunkDigest]
) -> dict[ChunkDigest, PlacedChunk]:
    """Where those of ``digests`` lie that the project has."""
    ordered = sorted(digests)
    found: dict[ChunkDigest, PlacedChunk] = {}
    for at in range(0, len(ordered), _DIGESTS_AT_ONCE):
        some = ordered[at : at + _DIGESTS_AT_ONCE]
        statement, listed = _FIND.of(some)
        rows = await transaction.all(statement, {"of": project, **listed})
        for row in rows:
            found[row.digest] = PlacedChunk(
                row.digest, row.pack_key, row.offset, row.stored_length, row.raw_length, Codec(row.codec)
            )
    return found


async def add_chunks(transaction: Transaction, project: str, chunks: Collection[PlacedChunk]) -> None:
    """Enter a pack file's chunks; where a digest is known already, the place known first stays."""
    await transaction.execute(
        _ADD,
        # In one order everywhere: two uploads of the same content would else wait for each other in a ring.
        [
            {
                "project": project,
                "digest": chunk.digest,
                "pack_key": chunk.pack_key,
                "offset": chunk.offset,
                "stored_length": chunk.stored_length,
                "raw_length": chunk.raw_length,
                "codec": int(chunk.codec),
            }
            for chunk in sorted(chunks, key=lambda chunk: chunk.digest)
        ],
    )
