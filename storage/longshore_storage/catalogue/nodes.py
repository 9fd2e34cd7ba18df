"""Nodes: the rows behind the leases.

A boot number, which the data folder writes down before it is taken here by compare-and-set, finds out a
folder that was copied: whichever copy has not started last is refused from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from longshore_storage.errors import ConstraintViolated, Misconfigured

from . import tables
from .catalogue import Transaction
from .prepared import Prepared
from .projects import ensure_environment
from .rows import Node

_n = tables.node
_NODES_A_STATEMENT: Final = 500
_COLUMNS = [column for column in _n.c if column.name != "installs"]
_INSTALLING = Prepared(
    select(*_COLUMNS)
    .where(_n.c.environment == bindparam("of"), _n.c.installs.is_(True), _n.c.cordon_reason == "")
    .order_by(_n.c.name)
)


EVERY_NODE: Final[Mapping[str, str]] = MappingProxyType({})
"""The selector that every node matches."""


def matches(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Whether a node with these labels is one of those that a selector means."""
    return all(labels.get(key) == value for key, value in selector.items())


async def next_boot(transaction: Transaction, node_id: str, *, last: int | None) -> int:
    """The boot number that a node may take whose data folder wrote down ``last`` before; None: nothing yet.

    The folder writes the new one down before ``boot``, so that a crash between the two does not lock it out.
    Raises ``Misconfigured`` for one that is not where the node started last.
    """
    row = await transaction.one(select(_n.c.boot_number, _n.c.name).where(_n.c.id == node_id))
    known = row.boot_number if row is not None else 0
    if row is not None and last is not None and known > last:
        raise Misconfigured(
            f"this data folder is a copy, or an older state, of node {row.name!r}, which was started from "
            "another one since. If it is a copy, remove its node.json, and give this node a name of its own "
            "(`node.name`); if it is the node's own, restored from a backup, take the node off the list "
            f"first with `longshore admin remove-node {row.name}`"
        )
    # A folder may be ahead: its start crashed before the number was taken, or the database was restored.
    return max(int(known), last or 0) + 1


async def boot(
    transaction: Transaction,
    node_id: str,
    boot_number: int,
    *,
    name: str,
    environment: str,
    roles: Sequence[str],
    **values: Any,
) -> Node:
    """Register a node that starts, with a boot number from ``next_boot``.

    Raises ``Misconfigured`` when another node has the name, this one was in another environment, or a copy of
    its data folder starts at the same moment.
    """
    known = await transaction.one(select(_n.c.environment, _n.c.boot_number).where(_n.c.id == node_id))
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
        "boot_number": boot_number,
        "boot_time": now,
        "report_time": now,
        "upload_count": 0,
        "rollout_count": 0,
        **values,
    }
    try:
        row = await transaction.one(
            insert(_n).values(id=node_id, **columns).returning(*_COLUMNS)
            if known is None
            else update(_n)
            .where(_n.c.id == node_id, _n.c.boot_number < boot_number)
            .values(**columns)
            .returning(*_COLUMNS)
        )
    except ConstraintViolated as error:
        raise Misconfigured(
            f"another node is registered under the name {name!r}: give this one its own with `node.name`, or "
            f"take one that is gone for good off the list with `longshore admin remove-node {name}`"
        ) from error
    if row is None:
        raise Misconfigured(
            f"node {name!r} is being started from two copies of its data folder: remove node.json from one"
        )
    return Node.of(row)


async def report(transaction: Transaction, node_id: str, boot_number: int, **values: Any) -> Node | None:
    """Refresh a node's row and read it; None when it is not this start's any more.

    A row with a lower number is of a database that was restored since: it is raised to this start's.
    """
    row = await transaction.one(
        update(_n)
        .where(_n.c.id == node_id, _n.c.boot_number <= boot_number)
        .values(report_time=await transaction.now(), boot_number=boot_number, **values)
        .returning(*_COLUMNS)
    )
    return Node.of(row) if row else None


async def get_node(transaction: Transaction, node_id: str) -> Node | None:
    """Read a node."""
    row = await transaction.one(select(*_COLUMNS).where(_n.c.id == node_id))
    return Node.of(row) if row else None


async def get_nodes(transaction: Transaction, node_ids: Collection[str]) -> Sequence[Node]:
    """Read those of these nodes that there are, in no order."""
    ids, found = list(node_ids), list[Node]()
    for begin in range(0, len(ids), _NODES_A_STATEMENT):
        some = ids[begin : begin + _NODES_A_STATEMENT]
        rows = await transaction.all(select(*_COLUMNS).where(_n.c.id.in_(some)))
        found += map(Node.of, rows)
    return found


async def find_node(transaction: Transaction, name: str) -> Node | None:
    """Read a node by its name."""
    row = await transaction.one(select(*_COLUMNS).where(_n.c.name == name))
    return Node.of(row) if row else None


async def lock_node(transaction: Transaction, name: str) -> Node | None:
    """Lock a node's row by its name until the transaction ends."""
    row = await transaction.one(select(*_COLUMNS).where(_n.c.name == name).with_for_update(key_share=True))
    return Node.of(row) if row else None


async def cordon(
    transaction: Transaction, node_id: str, reason: str, by: str, *, draining: bool = False
) -> Node:
    """Let no rollout cover a node, for ``reason``, or let them again with an empty one.

    With ``draining`` it is to take no uploads and drive no rollouts either.
    """
    row = await transaction.one(
        update(_n)
        .where(_n.c.id == node_id)
        .values(
            cordon_reason=reason,
            cordoned_by=by if reason else "",
            cordon_time=await transaction.now() if reason else None,
            draining=draining,
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


async def all_nodes(transaction: Transaction) -> Sequence[Node]:
    """Every node, by name."""
    return [Node.of(row) for row in await transaction.all(select(*_COLUMNS).order_by(_n.c.name))]


async def installing_nodes(
    transaction: Transaction, environment: str, selector: Mapping[str, str] = EVERY_NODE
) -> Sequence[Node]:
    """Whom a rollout covers, by name: who installs in an environment, matches, and is not cordoned."""
    rows = await transaction.all(_INSTALLING, {"of": environment})
    return [node for node in map(Node.of, rows) if matches(node.labels, selector)]


async def names_of(transaction: Transaction, node_ids: Collection[str]) -> dict[str, str]:
    """The names of those of the nodes that are known, by id."""
    n = tables.node
    rows = await transaction.all(select(n.c.id, n.c.name).where(n.c.id.in_(node_ids)))
    return {row.id: row.name for row in rows}
