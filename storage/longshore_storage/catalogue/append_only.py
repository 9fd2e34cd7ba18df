"""What makes the audit trail append-only for whoever writes to the database: triggers that refuse the rest.

On PostgreSQL an entry takes the next id, and so comes behind what is sealed; no entry is ever updated. A seal
follows from the one before, ends with an entry that is there, and is never deleted; of its columns only what
is empty is set: when it was anchored, and which entry tells that its entries were removed. That one came
later, a day after the seal at least. Only then an entry is deleted; whether it should have been kept for
longer is for ``auditing.verify`` to say, which knows the settings.

Who owns the tables can take the triggers away, so the application's user is better not their owner
(docs/operations.md); SQLite has no users at all. What is changed then is found by the seals.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

from sqlalchemy import text

from .catalogue import Transaction

_REFUSAL: Final = "the audit trail is append-only"
_FIXED: Final = (
    "number",
    "first_id",
    "last_id",
    "entry_count",
    "rows_sha256",
    "previous_head",
    "head",
    "time",
)
_SET_ONCE: Final = ("anchor_time", "removal_id")
_IS_KEPT: Final = (
    "(SELECT s.removal_id FROM audit_seal s WHERE s.last_id >= OLD.id ORDER BY s.last_id LIMIT 1) IS NULL"
)
_IS_SEALED: Final = "EXISTS (SELECT 1 FROM audit_seal WHERE last_id >= NEW.id)"
_IS_REMOVED_NOW: Final = "OLD.removal_id IS NULL AND NEW.removal_id IS NOT NULL"
_NOTHING_TELLS: Final = (
    "OLD.anchor_time IS NULL OR NOT EXISTS (SELECT 1 FROM audit_entry"
    " WHERE id = NEW.removal_id AND id > OLD.last_id AND action = 'audit.removed')"
)
_DOES_NOT_FOLLOW: Final = (
    "NEW.number <> coalesce((SELECT max(number) FROM audit_seal), 0) + 1"
    " OR NEW.previous_head <> coalesce((SELECT head FROM audit_seal ORDER BY number DESC LIMIT 1), '')"
    " OR NEW.time < (SELECT time FROM audit_seal ORDER BY number DESC LIMIT 1)"
    " OR EXISTS (SELECT 1 FROM audit_seal WHERE last_id >= NEW.last_id)"
    " OR NOT EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.last_id)"
    " OR NEW.anchor_time IS NOT NULL OR NEW.removal_id IS NOT NULL"
)
# A clock may be set back, and be behind the last seal for a while.
_AT_ANOTHER_TIME: Final = (
    "NEW.time < {minute_ago} OR (NEW.time > {minute_hence}"
    " AND NEW.time <> (SELECT time FROM audit_seal ORDER BY number DESC LIMIT 1))"
)


def _is_changed(differs: str) -> str:
    fixed = [f"NEW.{name} {differs} OLD.{name}" for name in _FIXED]
    set_once = [f"(OLD.{name} IS NOT NULL AND NEW.{name} {differs} OLD.{name})" for name in _SET_ONCE]
    return " OR ".join((*fixed, *set_once))


def _sqlite_trigger(name: str, event: str, condition: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )


def _function(name: str, condition: str, told: str, *, returned: str = "NEW") -> str:
    return f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {condition} THEN
                RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '{_REFUSAL}, and ' || {told};
            END IF;
            RETURN {returned};
        END $$"""


@asynccontextmanager
async def lifted(transaction: Transaction) -> AsyncIterator[None]:
    """Let the block change the trail, to restore a backup; takes whoever owns the tables."""
    if transaction.dialect == "postgresql":
        for table in ("audit_entry", "audit_seal"):
            await transaction.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield
        for table in ("audit_entry", "audit_seal"):
            await transaction.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
        return
    for statement in _SQLITE:
        _, _, name, *_ = statement.split()
        await transaction.execute(text(f"DROP TRIGGER {name}"))
    yield
    for statement in _SQLITE:
        await transaction.execute(text(statement))


_POSTGRESQL_TIMES: Final = {
    "minute_ago": "now() - interval '1 minute'",
    "minute_hence": "now() + interval '1 minute'",
}
_FUNCTIONS: Final = {
    "audit_refuses": _function("audit_refuses", "TRUE", "TG_TABLE_NAME || ' refuses ' || TG_OP"),
    "audit_entry_comes": _function(
        "audit_entry_comes",
        f"NEW.id IS DISTINCT FROM currval(CAST('audit_entry_id_seq' AS regclass)) OR {_IS_SEALED}",
        "'an entry takes the next id, not ' || NEW.id",
    ),
    "audit_entry_goes": _function(
        "audit_entry_goes",
        _IS_KEPT,
        "'retention has not told of removing entry ' || OLD.id",
        returned="OLD",
    ),
    "audit_seal_comes": _function(
        "audit_seal_comes",
        f"{_DOES_NOT_FOLLOW} OR {_AT_ANOTHER_TIME.format(**_POSTGRESQL_TIMES)}",
        "'seal ' || NEW.number || ' does not follow from the last one'",
    ),
    "audit_seal_goes": _function(
        "audit_seal_goes",
        f"OLD.time > now() - interval '1 day' OR {_NOTHING_TELLS}",
        "'retention does not remove batch ' || OLD.number",
    ),
}
_POSTGRESQL: Final = (
    *_FUNCTIONS.values(),
    # Else a temporary table of the same name would be looked at first, which everybody may make.
    "DO $do$ DECLARE name text; BEGIN"
    f" FOREACH name IN ARRAY ARRAY{list(_FUNCTIONS)} LOOP"
    " EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', name, current_schema());"
    " END LOOP; END $do$",
    """CREATE TRIGGER audit_entry_new BEFORE INSERT ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION audit_entry_comes()""",
    """CREATE TRIGGER audit_entry_kept BEFORE DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION audit_entry_goes()""",
    """CREATE TRIGGER audit_entry_unchanged BEFORE UPDATE OR TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses()""",
    """CREATE TRIGGER audit_seal_new BEFORE INSERT ON audit_seal
        FOR EACH ROW EXECUTE FUNCTION audit_seal_comes()""",
    """CREATE TRIGGER audit_seal_kept BEFORE DELETE OR TRUNCATE ON audit_seal
        FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses()""",
    f"""CREATE TRIGGER audit_seal_unchanged BEFORE UPDATE ON audit_seal
        FOR EACH ROW WHEN ({_is_changed("IS DISTINCT FROM")}) EXECUTE FUNCTION audit_refuses()""",
    f"""CREATE TRIGGER audit_seal_removed BEFORE UPDATE ON audit_seal
        FOR EACH ROW WHEN ({_IS_REMOVED_NOW}) EXECUTE FUNCTION audit_seal_goes()""",
)
_SQLITE_TIMES: Final = {
    "minute_ago": "datetime('now', '-1 minute')",
    "minute_hence": "datetime('now', '+1 minute')",
}
_SQLITE: Final = (
    _sqlite_trigger("audit_entry_kept", "DELETE ON audit_entry", _IS_KEPT),
    _sqlite_trigger("audit_entry_unchanged", "UPDATE ON audit_entry", "TRUE"),
    # INSERT OR REPLACE deletes without telling the trigger above. An entry's own id is not known yet.
    _sqlite_trigger(
        "audit_entry_new",
        "INSERT ON audit_entry",
        "EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id)",
    ),
    _sqlite_trigger("audit_seal_kept", "DELETE ON audit_seal", "TRUE"),
    _sqlite_trigger("audit_seal_unchanged", "UPDATE ON audit_seal", _is_changed("IS NOT")),
    _sqlite_trigger(
        "audit_seal_removed",
        "UPDATE ON audit_seal",
        f"{_IS_REMOVED_NOW} AND (OLD.time > datetime('now', '-1 day') OR {_NOTHING_TELLS})",
    ),
    _sqlite_trigger(
        "audit_seal_new",
        "INSERT ON audit_seal",
        f"{_DOES_NOT_FOLLOW} OR {_AT_ANOTHER_TIME.format(**_SQLITE_TIMES)}",
    ),
)

GUARDS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({"postgresql": _POSTGRESQL, "sqlite": _SQLITE})
"""The statements that make the triggers, by dialect."""
