"""What compaction asks of the rows and changes in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import bindparam, select, union, update

from longshore_chunks import PlacedChunk

from . import tables
from .catalogue import Transaction
from .stored_payloads import PayloadRow

_c = tables.chunk
_p = tables.payload
_pp = tables.payload_pack

# Below every database's limit of parameters in a statement.
_DIGESTS_AT_ONCE = 1000


async def held_packs(transaction: Transaction) -> frozenset[str]:
    """Pack files that stay whatever is moved: uploads have pinned them, or damaged payloads name them."""
    rows = await transaction.all(
        union(
            select(tables.pin.c.pack_key),
            select(_pp.c.pack_key).join(_p, _p.c.sha256 == _pp.c.payload_sha256).where(_p.c.damage != ""),
        )
    )
    return frozenset(row.pack_key for row in rows)


async def payloads_in(
    transaction: Transaction, pack_keys: Collection[str], *, after: str, limit: int
) -> Sequence[PayloadRow]:
    """The next sound payloads by sha256 that use one of these pack files."""
    using = select(_pp.c.payload_sha256).where(_pp.c.pack_key.in_(pack_keys))
    rows = await transaction.all(
        select(_p)
        .where(_p.c.sha256.in_(using), _p.c.damage == "", _p.c.sha256 > after)
        .order_by(_p.c.sha256)
        .limit(limit)
    )
    return [PayloadRow(**row._mapping) for row in rows]


async def used_packs(transaction: Transaction, pack_keys: Collection[str]) -> frozenset[str]:
    """Those of these pack files that a payload still names."""
    rows = await transaction.all(select(_pp.c.pack_key).where(_pp.c.pack_key.in_(pack_keys)).distinct())
    return frozenset(row.pack_key for row in rows)


async def move_chunks(transaction: Transaction, moved: Iterable[tuple[PlacedChunk, PlacedChunk]]) -> None:
    """Let the index name chunks at their new places, wherever it still names the old ones."""
    by_pack: dict[str, dict[bytes, tuple[PlacedChunk, PlacedChunk]]] = defaultdict(dict)
    for old, new in moved:
        by_pack[old.pack_key][old.digest] = (old, new)
    found: list[tuple[str, PlacedChunk, PlacedChunk]] = []
    for pack_key, places in by_pack.items():
        for digests in _pages(places):
            rows = await transaction.all(
                select(_c.c.project, _c.c.digest).where(_c.c.pack_key == pack_key, _c.c.digest.in_(digests))
            )
            found += [(row.project, *places[row.digest]) for row in rows]
    if not found:
        return
    await transaction.execute(
        update(_c)
        .where(
            _c.c.project == bindparam("of_project"),
            _c.c.digest == bindparam("of_digest"),
            _c.c.pack_key == bindparam("old_pack_key"),
            _c.c.offset == bindparam("old_offset"),
        )
        .values(pack_key=bindparam("new_pack_key"), offset=bindparam("new_offset")),
        # In one order everywhere: two transactions would else wait for each other in a ring.
        [
            {
                "of_project": project,
                "of_digest": old.digest,
                "old_pack_key": old.pack_key,
                "old_offset": old.offset,
                "new_pack_key": new.pack_key,
                "new_offset": new.offset,
            }
            for project, old, new in sorted(found, key=lambda one: (one[0], one[1].digest))
        ],
    )


def _pages(places: Mapping[bytes, object]) -> Iterable[list[bytes]]:
    digests = list(places)
    for at in range(0, len(digests), _DIGESTS_AT_ONCE):
        yield digests[at : at + _DIGESTS_AT_ONCE]
