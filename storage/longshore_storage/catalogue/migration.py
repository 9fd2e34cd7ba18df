"""Brings a database to this version's schema with Alembic, and refuses one that is not.

The revisions stand in ``migrations/versions``. A node checks at start; only ``longshore admin migrate``
(and, in the embedded default, the node itself) changes a schema.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from longshore_storage.errors import Misconfigured

_FOLDER = Path(__file__).parent / "migrations"
# Two `admin migrate` at once would both create tables; the number is arbitrary but ours.
_MIGRATION_LOCK = 7_420_001


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """The revision that this version's code expects."""
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    assert head is not None
    return head


def upgrade(connection: Connection) -> str:
    """Upgrade within the connection's transaction and tell the revision reached."""
    if connection.dialect.name == "postgresql":
        # Given back by itself at the transaction's end, so a pooler may stand between.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    _refuse_unknown(MigrationContext.configure(connection).get_current_revision(), "")
    command.upgrade(configuration(connection), "head")
    return newest_revision()


def check_revision(revision: str | None, database: str) -> None:
    """Raise ``Misconfigured`` when ``revision`` is not what this version's code expects."""
    expected = newest_revision()
    if revision != expected:
        _refuse_unknown(revision, f" {database}")
        raise Misconfigured(
            f"the database {database} has schema {revision or 'none'}, this server needs {expected}: "
            "run `longshore admin migrate`"
        )


def _refuse_unknown(revision: str | None, database: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if revision is not None and revision not in known:
        raise Misconfigured(
            f"the database{database} has schema {revision}, which this version of Longshore does not know: "
            "it was written by a later one; upgrade this server"
        )
