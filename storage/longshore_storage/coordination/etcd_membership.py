"""Who is alive: one leased key a node.

Owns ``{prefix}/nodes/{node id}``, whose value is JSON. Invariants: whoever announces never waits for
etcd and never gives up; a value that cannot be read hides one member, not the others.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from etcd3aio.kv import prefix_range_end

from longshore_storage.errors import StorageError
from longshore_storage.ports import Member

from .etcd_channel import EtcdConnection
from .etcd_lease import Lease

_MAX_PAUSE_S = 5.0

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def announce(
    connection: EtcdConnection, prefix: str, member: Member, ttl_s: int
) -> AsyncIterator[None]:
    """Keep ``member`` announced while the block runs; at its end take it back, within seconds."""
    task = asyncio.create_task(_keep_announced(connection, _nodes(prefix) + member.node_id, member, ttl_s))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def read_members(connection: EtcdConnection, prefix: str) -> Sequence[Member]:
    """Every announced member, by node id."""
    nodes = _nodes(prefix)
    answer = await connection.call(
        lambda endpoint, share_s: endpoint.kv.get(nodes, prefix_range_end(nodes), timeout=share_s)
    )
    members = []
    for kv in answer.kvs:
        try:
            members.append(_decoded(kv.key.decode()[len(nodes) :], kv.value))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("coordination.member_unreadable", key=repr(kv.key), error=str(error))
    return members


async def _keep_announced(connection: EtcdConnection, key: str, member: Member, ttl_s: int) -> None:
    pause_s = 0.0
    while True:
        try:
            async with Lease(connection, ttl_s, "membership") as lease:
                await lease.put(key, _encoded(member))
                lease.guard(key)
                _log.info("coordination.announced", node_id=member.node_id)
                pause_s = 0.0
                await asyncio.shield(lease.lost)
        except StorageError as error:
            if not pause_s:
                _log.warning("coordination.not_announced", node_id=member.node_id, error=str(error))
            pause_s = min(_MAX_PAUSE_S, max(0.25, pause_s * 2))
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311


def _nodes(prefix: str) -> str:
    return f"{prefix}/nodes/"


def _encoded(member: Member) -> bytes:
    value = {
        "name": member.name,
        "boot_number": member.boot_number,
        "attributes": dict(member.attributes),
    }
    return json.dumps(value, separators=(",", ":")).encode()


def _decoded(node_id: str, value: bytes) -> Member:
    """What a node announced; keys that a later version adds are left alone."""
    read = json.loads(value)
    attributes = {str(name): str(text) for name, text in read["attributes"].items()}
    return Member(node_id, str(read["name"]), int(read["boot_number"]), attributes)
