"""Uploads under way: who holds one, how far its stored part reaches, and the segments of that part.

Each row is guarded by its ``epoch``, which rises with every acceptance: a writer whose epoch is no longer
the row's changes nothing, and learns it by the False that it gets. Segments are appended in order, and
``durable_bytes`` is always the end of the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from . import tables
from .catalogue import Transaction
from .prepared import Prepared

_u = tables.upload
_s = tables.upload_segment
_mine = and_(_u.c.deployment_id == bindparam("of"), _u.c.epoch == bindparam("under"))
_BEGIN = Prepared(
    insert(_u),
    (
        "deployment_id",
        "session_id",
        "attempt",
        "epoch",
        "declared_size_bytes",
        "declared_sha256",
        "heartbeat_time",
        "held",
    ),
)
_GET = Prepared(select(_u).where(_u.c.deployment_id == bindparam("of")))
_HEARTBEAT = Prepared(update(_u).where(_mine).values(heartbeat_time=bindparam("now"), held=True))
_KEEP = Prepared(
    update(_u).where(_mine).values(stored_payload=bindparam("sha256"), heartbeat_time=bindparam("now"))
)
_LET_GO = Prepared(update(_u).where(_mine).values(held=False))
_CLAIM = Prepared(
    update(_u).where(_mine, or_(_u.c.way == "", _u.c.way == bindparam("by"))).values(way=bindparam("by"))
)
# Its segments and pins go with it.
_DROP = Prepared(delete(_u).where(_u.c.deployment_id == bindparam("of")), is_long=True)
_ADVANCE = Prepared(
    update(_u)
    .where(_mine, _u.c.next_segment == bindparam("number"))
    .values(
        durable_bytes=bindparam("end_offset"),
        next_segment=_u.c.next_segment + 1,
        received_bytes=_u.c.received_bytes + bindparam("received"),
        reused_bytes=_u.c.reused_bytes + bindparam("reused"),
        stored_bytes=_u.c.stored_bytes + bindparam("stored"),
        heartbeat_time=bindparam("now"),
    )
)
_INSERT_SEGMENT = Prepared(insert(_s), _s.c.keys())
_SEGMENTS_FROM = Prepared(
    select(_s.c.chunks)
    .where(_s.c.deployment_id == bindparam("of"), _s.c.number >= bindparam("begin"))
    .order_by(_s.c.number)
    .limit(bindparam("most")),
    is_long=True,
)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way. ``way`` is ``PLAIN``, ``CHUNKS``, or empty before the first bytes."""

    deployment_id: str
    session_id: str
    attempt: int
    epoch: int
    way: str
    declared_size_bytes: int | None
    declared_sha256: str
    durable_bytes: int
    next_segment: int
    received_bytes: int
    reused_bytes: int
    stored_bytes: int
    heartbeat_time: datetime
    held: bool
    stored_payload: str | None


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment to append: its place in the order, where it ends, and what its bytes were."""

    number: int
    end_offset: int
    chunk_count: int
    chunks: bytes
    received_bytes: int
    reused_bytes: int
    stored_bytes: int


class Takeover(NamedTuple):
    """The new ``epoch``, or None where another session holds the upload for ``retry_after_s`` at most."""

    epoch: int | None
    retry_after_s: float


async def begin_upload(
    transaction: Transaction,
    deployment_id: str,
    *,
    session_id: str,
    attempt: int,
    declared_size_bytes: int | None = None,
    declared_sha256: str = "",
) -> int:
    """Insert the row of an accepted upload, held by its session, and tell its epoch.

    Raises ``ConstraintViolated`` when the deployment has one or does not exist.
    """
    await transaction.execute(
        _BEGIN,
        {
            "deployment_id": deployment_id,
            "session_id": session_id,
            "attempt": attempt,
            "epoch": 1,
            "declared_size_bytes": declared_size_bytes,
            "declared_sha256": declared_sha256,
            "heartbeat_time": await transaction.now(),
            "held": True,
        },
    )
    return 1


async def get_upload(transaction: Transaction, deployment_id: str) -> Upload | None:
    """Read an upload; None when it has ended."""
    row = await transaction.one(_GET, {"of": deployment_id})
    return Upload(**row._mapping) if row else None


async def take_over(
    transaction: Transaction, deployment_id: str, *, session_id: str, attempt: int, stale_after_s: float
) -> Takeover | None:
    """Become the holder of an upload that broke off; None when there is no such upload.

    The same session takes over at once with a higher attempt; another when the holder let go, or was not
    heard of for ``stale_after_s``.
    """
    now = await transaction.now()
    stale_after = timedelta(seconds=stale_after_s)
    row = await transaction.one(
        update(_u)
        .where(
            _u.c.deployment_id == deployment_id,
            or_(
                _u.c.held.is_(False),
                and_(_u.c.session_id == session_id, _u.c.attempt < attempt),
                _u.c.heartbeat_time < now - stale_after,
                # The clock was set back: whoever is well shows it by the new time.
                _u.c.heartbeat_time > now + stale_after,
            ),
        )
        .values(epoch=_u.c.epoch + 1, session_id=session_id, attempt=attempt, heartbeat_time=now, held=True)
        .returning(_u.c.epoch)
    )
    if row is not None:
        return Takeover(row.epoch, 0.0)
    upload = await get_upload(transaction, deployment_id)
    if upload is None:
        return None
    silent_s = (now - upload.heartbeat_time).total_seconds()
    return Takeover(None, max(stale_after_s - silent_s, 0.0))


async def claim_way(transaction: Transaction, deployment_id: str, epoch: int, way: str) -> bool:
    """Fix how an upload's bytes come; False when it has another way already, or another holder."""
    return bool(await transaction.changed(_CLAIM, {"of": deployment_id, "under": epoch, "by": way}))


async def heartbeat(transaction: Transaction, deployment_id: str, epoch: int) -> bool:
    """Show that the holder is alive; False when it is no longer the holder."""
    return bool(
        await transaction.changed(
            _HEARTBEAT, {"of": deployment_id, "under": epoch, "now": await transaction.now()}
        )
    )


async def keep_payload(transaction: Transaction, deployment_id: str, epoch: int, sha256: str) -> bool:
    """Keep a stored payload from being collected until the upload ends; False when not the holder.

    Raises ``ConstraintViolated`` (a foreign key) when the payload is not stored.
    """
    return bool(
        await transaction.changed(
            _KEEP,
            {"of": deployment_id, "under": epoch, "sha256": sha256, "now": await transaction.now()},
        )
    )


async def let_go(transaction: Transaction, deployment_id: str, epoch: int) -> bool:
    """Give an upload back before its end, so that whoever goes on need not wait; False as above."""
    return bool(await transaction.changed(_LET_GO, {"of": deployment_id, "under": epoch}))


async def lock_upload(transaction: Transaction, deployment_id: str) -> None:
    """Lock an upload's row until the transaction ends, if there is one."""
    await transaction.one(
        select(_u.c.epoch).where(_u.c.deployment_id == deployment_id).with_for_update(key_share=True)
    )


async def drop_upload(transaction: Transaction, deployment_id: str) -> None:
    """End an upload: its segments and pins go with the row. What it stored is garbage or a payload's."""
    await transaction.execute(_DROP, {"of": deployment_id})


async def append_segment(
    transaction: Transaction, deployment_id: str, epoch: int, segment: SegmentRow
) -> bool:
    """Append the next segment and raise the durable offset; False when not the holder or not the next."""
    held = await transaction.changed(
        _ADVANCE,
        {
            "of": deployment_id,
            "under": epoch,
            "number": segment.number,
            "end_offset": segment.end_offset,
            "received": segment.received_bytes,
            "reused": segment.reused_bytes,
            "stored": segment.stored_bytes,
            "now": await transaction.now(),
        },
    )
    if not held:
        return False
    await transaction.execute(
        _INSERT_SEGMENT,
        {
            "deployment_id": deployment_id,
            "number": segment.number,
            "end_offset": segment.end_offset,
            "chunk_count": segment.chunk_count,
            "chunks": segment.chunks,
        },
    )
    return True


async def cut_back(transaction: Transaction, deployment_id: str, epoch: int, number: int) -> bool:
    """Take segment ``number`` and those behind it back, so that their bytes come again; False as above."""
    end = await transaction.one(
        select(_s.c.end_offset).where(_s.c.deployment_id == deployment_id, _s.c.number == number - 1)
    )
    held = await transaction.changed(
        update(_u).where(_mine).values(durable_bytes=end.end_offset if end else 0, next_segment=number),
        {"of": deployment_id, "under": epoch},
    )
    if held:
        await transaction.execute(
            delete(_s).where(_s.c.deployment_id == deployment_id, _s.c.number >= number)
        )
    return bool(held)


async def segments_from(
    transaction: Transaction, deployment_id: str, number: int, *, limit: int
) -> Sequence[bytes]:
    """The encoded chunks of up to ``limit`` segments from ``number`` on, in order."""
    rows = await transaction.all(_SEGMENTS_FROM, {"of": deployment_id, "begin": number, "most": limit})
    return [row.chunks for row in rows]
