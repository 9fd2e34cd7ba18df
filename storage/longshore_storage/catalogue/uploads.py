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

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from . import tables
from .catalogue import Transaction

_u = tables.upload
_s = tables.upload_segment


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
        insert(_u).values(
            deployment_id=deployment_id,
            session_id=session_id,
            attempt=attempt,
            epoch=1,
            declared_size_bytes=declared_size_bytes,
            declared_sha256=declared_sha256,
            heartbeat_time=await transaction.now(),
            held=True,
        )
    )
    return 1


async def get_upload(transaction: Transaction, deployment_id: str) -> Upload | None:
    """Read an upload; None when it has ended."""
    row = await transaction.one(select(_u).where(_u.c.deployment_id == deployment_id))
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
    return bool(
        await transaction.changed(
            update(_u).where(_mine(deployment_id, epoch), _u.c.way.in_(("", way))).values(way=way)
        )
    )


async def heartbeat(transaction: Transaction, deployment_id: str, epoch: int) -> bool:
    """Show that the holder is alive; False when it is no longer the holder."""
    return bool(
        await transaction.changed(
            update(_u)
            .where(_mine(deployment_id, epoch))
            .values(heartbeat_time=await transaction.now(), held=True)
        )
    )


async def keep_payload(transaction: Transaction, deployment_id: str, epoch: int, sha256: str) -> bool:
    """Keep a stored payload from being collected until the upload ends; False when not the holder.

    Raises ``ConstraintViolated`` (a foreign key) when the payload is not stored.
    """
    return bool(
        await transaction.changed(
            update(_u)
            .where(_mine(deployment_id, epoch))
            .values(stored_payload=sha256, heartbeat_time=await transaction.now())
        )
    )


async def let_go(transaction: Transaction, deployment_id: str, epoch: int) -> bool:
    """Give an upload back before its end, so that whoever goes on need not wait; False as above."""
    return bool(await transaction.changed(update(_u).where(_mine(deployment_id, epoch)).values(held=False)))


async def lock_upload(transaction: Transaction, deployment_id: str) -> None:
    """Lock an upload's row until the transaction ends, if there is one."""
    await transaction.one(
        select(_u.c.epoch).where(_u.c.deployment_id == deployment_id).with_for_update(key_share=True)
    )


async def drop_upload(transaction: Transaction, deployment_id: str) -> None:
    """End an upload: its segments and pins go with the row. What it stored is garbage or a payload's."""
    await transaction.execute(delete(_u).where(_u.c.deployment_id == deployment_id))


async def append_segment(
    transaction: Transaction, deployment_id: str, epoch: int, segment: SegmentRow
) -> bool:
    """Append the next segment and raise the durable offset; False when not the holder or not the next."""
    held = await transaction.changed(
        update(_u)
        .where(_mine(deployment_id, epoch), _u.c.next_segment == segment.number)
        .values(
            durable_bytes=segment.end_offset,
            next_segment=segment.number + 1,
            received_bytes=_u.c.received_bytes + segment.received_bytes,
            reused_bytes=_u.c.reused_bytes + segment.reused_bytes,
            stored_bytes=_u.c.stored_bytes + segment.stored_bytes,
            heartbeat_time=await transaction.now(),
        )
    )
    if not held:
        return False
    await transaction.execute(
        insert(_s).values(
            deployment_id=deployment_id,
            number=segment.number,
            end_offset=segment.end_offset,
            chunk_count=segment.chunk_count,
            chunks=segment.chunks,
        )
    )
    return True


async def cut_back(transaction: Transaction, deployment_id: str, epoch: int, number: int) -> bool:
    """Take segment ``number`` and those behind it back, so that their bytes come again; False as above."""
    end = await transaction.one(
        select(_s.c.end_offset).where(_s.c.deployment_id == deployment_id, _s.c.number == number - 1)
    )
    held = await transaction.changed(
        update(_u)
        .where(_mine(deployment_id, epoch))
        .values(durable_bytes=end.end_offset if end else 0, next_segment=number)
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
    rows = await transaction.all(
        select(_s.c.chunks)
        .where(_s.c.deployment_id == deployment_id, _s.c.number >= number)
        .order_by(_s.c.number)
        .limit(limit)
    )
    return [row.chunks for row in rows]


def _mine(deployment_id: str, epoch: int) -> ColumnElement[bool]:
    return and_(_u.c.deployment_id == deployment_id, _u.c.epoch == epoch)
