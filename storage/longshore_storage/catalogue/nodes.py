"""Nodes: the rows behind the leases. A boot number, taken by compare-and-set, finds out a cloned folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update

from longshore_storage.errors import ConstraintViolated, Misconfigured

from . import tables
from .catalogue import Transaction
from .projects import ensure_environment
from .rows import Node

_n = tables.node
_COLUMNS = [column for column in _n.c if column.name != "installs"]


async def boot(
    transaction: Transaction,
    node_id: str,
    *,
    name: str,
    environment: str,
    roles: Sequence[str],
    **values: Any,
) -> int:
    """Register a node that starts, and hand out its boot number.

    Raises ``Misconfigured`` when another node has the name, or this one was in another environment.
    """
    known = await transaction.one(select(_n.c.environment).where(_n.c.id == node_id))
    if known is not None and known.environment != environment:
        raise Misconfigured(
            f"this data folder belongs to a node of environment {known.environment!r}, and a node stays in "
            f"its environment: give a node of {environment!r} a data folder of its own (`data_dir`)"
        )
    await ensure_environment(transaction, environment)
    now = await transaction.now()
    columns = {
        "name": name,
        "environment": environment,
        "roles": list(roles),
        "installs": "install" in roles,
        "boot_time": now,
        "report_time": now,
        **values,
    }
    try:
        row = await transaction.one(
            update(_n)
            .where(_n.c.id == node_id)
            .values(boot_number=_n.c.boot_number + 1, **columns)
            .returning(_n.c.boot_number)
        )
        if row is None:
            row = await transaction.one(
                insert(_n).values(id=node_id, boot_number=1, **columns).returning(_n.c.boot_number)
            )
    except ConstraintViolated as error:
        raise Misconfigured(
            f"another node is registered under the name {name!r}: give this one its own with `node.name`, or "
            f"take one that is gone for good off the list with `longshore admin remove-node {name}`"
        ) from error
    assert row is not None
    return int(row[0])


async def report(
    transaction: Transaction, node_id: str, boot_number: int, *, free_disk_bytes: int, address: str
) -> bool:
    """Refresh a node's row; False when a later boot of the same id has taken it over."""
    return bool(
        await transaction.changed(
            update(_n)
            .where(_n.c.id == node_id, _n.c.boot_number == boot_number)
            .values(free_disk_bytes=free_disk_bytes, address=address, report_time=await transaction.now())
        )
    )


async def get_node(transaction: Transaction, node_id: str) -> Node | None:
    """Read a node."""
    row = await transaction.one(select(*_COLUMNS).where(_n.c.id == node_id))
    return Node.of(row) if row else None


async def lock_node(transaction: Transaction, name: str) -> Node | None:
    """Lock a node's row by its name until the transaction ends."""
    row = await transaction.one(select(*_COLUMNS).where(_n.c.name == name).with_for_update(key_share=True))
    return Node.of(row) if row else None


async def cordon(transaction: Transaction, node_id: str, reason: str, by: str) -> Node:
    """Let no rollout cover a node, for ``reason``, or let them again with an empty one."""
    row = await transaction.one(
        update(_n)
        .where(_n.c.id == node_id)
        .values(
            cordon_reason=reason,
            cordoned_by=by if reason else "",
            cordon_time=await transaction.now() if reason else None,
        )
        .returning(*_COLUMNS)
    )
    assert row is not None
    return Node.of(row)


async def remove(transaction: Transaction, name: str) -> bool:
    """Forget a node and its assignments, so that no rollout waits for it; False when there is none."""
    return bool(await transaction.changed(delete(_n).where(_n.c.name == name)))


async def list_nodes(transaction: Transaction, *, environment: str, after: str, limit: int) -> Sequence[Node]:
    """A page of nodes by name, behind ``after``; an empty environment matches every one."""
    statement = select(*_COLUMNS).where(_n.c.name > after).order_by(_n.c.name).limit(limit)
    if environment:
        statement = statement.where(_n.c.environment == environment)
    return [Node.of(row) for row in await transaction.all(statement)]


async def installing_nodes(transaction: Transaction, environment: str) -> Sequence[Node]:
    """Every node of an environment with the role install and no cordon: whom a rollout covers."""
    rows = await transaction.all(
        select(*_COLUMNS)
        .where(_n.c.environment == environment, _n.c.installs.is_(True), _n.c.cordon_reason == "")
        .order_by(_n.c.name)
    )
    return [Node.of(row) for row in rows]


async def names_of(transaction: Transaction, node_ids: Collection[str]) -> dict[str, str]:
    """The names of those of the nodes that are known, by id."""
    n = tables.node
    rows = await transaction.all(select(n.c.id, n.c.name).where(n.c.id.in_(node_ids)))
    return {row.id: row.name for row in rows}
