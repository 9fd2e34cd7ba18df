"""Brings a database to this version's schema, and refuses one that this version cannot work with.

In two phases, so that servers of two versions can work on one database: what expands the schema comes while
the older ones still run, what contracts it when none does any more. A node checks at start, and now and then;
only ``longshore admin migrate`` (and, in the embedded default, the node itself) changes a schema.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from longshore_storage.errors import Misconfigured

from . import revisions
from .revisions import Revision, configuration

# Two `admin migrate` at once would both create tables; the number is arbitrary but ours.
_MIGRATION_LOCK = 7_420_001
# Whoever comes after a change that waits for a lock waits as well: nodes are not to notice.
_LOCK_TIMEOUT_MS = 3_000


def revision_of(connection: Connection) -> str | None:
    """The name of the revision that a database has; None without a schema."""
    return MigrationContext.configure(connection).get_current_revision()


def ahead(name: str | None, *, contract: bool) -> Sequence[Revision]:
    """What ``upgrade`` would apply to a database at a revision, in order; nothing where that is a later one.

    Without ``contract`` it ends with what this version needs; an empty database gets everything.
    """
    every = revisions.known()
    if name is None:
        return every
    names = [revision.name for revision in every]
    if name not in names:
        return []
    last = revisions.newest() if contract else revisions.needed()
    return every[names.index(name) + 1 : every.index(last) + 1]


def upgrade(connection: Connection, *, database: str, contract: bool = False) -> str:
    """Apply what is ``ahead`` within the connection's transaction, and tell the revision that it has then.

    ``database`` names it for people. Raises ``Misconfigured``, and changes nothing, where this version cannot
    work with what is there.
    """
    if connection.dialect.name == "postgresql":
        # Given back by itself at the transaction's end, so a pooler may stand between.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}"))
    found = revision_of(connection)
    if coming := ahead(found, contract=contract):
        command.upgrade(configuration(connection), coming[-1].name)
        return coming[-1].name
    # A later version's may do.
    check_revision(found, database)
    assert found is not None
    return found


def check_revision(name: str | None, database: str) -> None:
    """Raise ``Misconfigured`` when this version cannot work with a database at a revision."""
    needed, newest = revisions.needed(), revisions.newest()
    found = revisions.parsed(name or "")
    if name is not None and _unknown(name):
        if found is None or found.oldest > newest.number:
            least = f" and is for servers that know {found.oldest:04} at least" if found else ""
            raise Misconfigured(
                f"the database {database} has schema {found or name}, which a later version of Longshore "
                f"has written{least}; this one knows {newest}: upgrade this server"
            )
    elif found is None or found.number < needed.number:
        raise Misconfigured(
            f"the database {database} has schema {found or 'none'}, this server needs {needed}: "
            "run `longshore admin migrate`"
        )


def check_whole(name: str | None, database: str) -> None:
    """Raise ``Misconfigured`` when a database may have more than this version knows of."""
    check_revision(name, database)
    if name is not None and _unknown(name):
        raise Misconfigured(
            f"the database {database} has schema {revisions.parsed(name)}, and this version knows "
            f"{revisions.newest()} only: use the version of Longshore that has migrated it"
        )


def _unknown(name: str) -> bool:
    return all(name != revision.name for revision in revisions.known())
