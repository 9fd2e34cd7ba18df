"""What a PostgreSQL role needs for a node that only installs: the one list, as SQL.

It reads everything but the digests of tokens. It writes its own row, how far its activations are, what its
hooks write, what it compared, what it found damaged, and what it comes to by itself when it joins. Where the
node is named, rows of nodes are its own only: else whoever has the role could assign others what he likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from . import tables

_NOT_READ: Final = {tables.access_token.name}
_WRITTEN: Final[Mapping[str, Sequence[str]]] = {
    tables.node.name: ("INSERT", "UPDATE"),
    tables.environment.name: ("INSERT",),
    tables.assignment.name: ("INSERT", "UPDATE"),
    tables.activation.name: ("INSERT", "UPDATE", "DELETE"),
    tables.hook_output.name: ("INSERT", "UPDATE", "DELETE"),
    tables.node_verification.name: ("UPDATE",),
    # Old ones, whoever asked for them.
    tables.verification.name: ("DELETE",),
    tables.audit_entry.name: ("INSERT",),
    # To hand out a generation, and to lock what is live meanwhile.
    tables.project_environment.name: ("UPDATE (generation)",),
    tables.pack_file.name: ("UPDATE (state)",),
    tables.payload.name: ("UPDATE (damage)",),
    tables.chunk.name: ("DELETE",),
}
_NUMBERED: Final = ("audit_entry_id_seq",)
# What is a node's in a row; all of these are written by nodes, each its own.
_OWN: Final[Mapping[str, str]] = {
    tables.node.name: "name = {name}",
    **{
        table.name: "node_id = (SELECT id FROM node WHERE name = {name})"
        for table in (tables.assignment, tables.activation, tables.hook_output, tables.node_verification)
    },
}
_COMMANDS: Final[Mapping[str, str]] = {
    "INSERT": "WITH CHECK ({own})",
    "UPDATE": "USING ({own}) WITH CHECK ({own})",
    "DELETE": "USING ({own})",
}


def install_grants(role: str, *, node: str = "") -> Sequence[str]:
    """The statements that let a role, which may connect already, do what a node that only installs does.

    With ``node``, the name of the only node that uses it, it may write of rows of nodes that node's.
    """
    to = f"TO {_quoted(role)};"
    read = sorted({"alembic_version", *tables.metadata.tables} - _NOT_READ)
    return [
        f"GRANT USAGE ON SCHEMA public {to}",
        *(f"GRANT SELECT ON {name} {to}" for name in read),
        *(f"GRANT {', '.join(rights)} ON {name} {to}" for name, rights in _WRITTEN.items()),
        *(f"GRANT USAGE ON SEQUENCE {name} {to}" for name in _NUMBERED),
        *(_own_rows(role, node) if node else ()),
    ]


def _own_rows(role: str, node: str) -> Iterator[str]:
    """Policies of row level security, which let all other roles do what their grants do."""
    # Of another role, however alike, there are other policies; and PostgreSQL cuts names off at 63 bytes.
    digest = hashlib.sha256(role.encode()).hexdigest()[:16]
    name = "'" + node.replace("'", "''") + "'"
    # At once: between two of the statements the role could do more, or others less.
    yield "BEGIN;"
    # Nodes wait behind whoever waits for a table.
    yield "SET LOCAL lock_timeout = '3s';"
    for table, own in _OWN.items():
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        yield f"DROP POLICY IF EXISTS everybody ON {table};"
        yield f"CREATE POLICY everybody ON {table} USING (true) WITH CHECK (true);"
        for command, clause in _COMMANDS.items():
            policy = _quoted(f"longshore {digest} {command}")
            yield f"DROP POLICY IF EXISTS {policy} ON {table};"
            yield (
                f"CREATE POLICY {policy} ON {table} AS RESTRICTIVE FOR {command} TO {_quoted(role)} "
                f"{clause.format(own=own.format(name=name))};"
            )
    yield "COMMIT;"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
