"""Has the database itself write down which release lets go of its payload, when, and who needs it then.

A trigger tells it in the very transaction: whoever only looks from time to time sees neither the moment nor
what was needed in it. Everything that makes a release needed is asked anew, with nothing of the code that
decides what goes.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from longshore_storage.catalogue import open_catalogue
from tests.cluster.history.records import Reclaimed, Restored

from .recording import Recorder
from .world import KEPT_RELEASES, KEPT_TARGETS

_ENDED: Final = "'SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED', 'SUPERSEDED'"
_WENT_LIVE: Final = "d.status IN ('SUCCEEDED', 'PARTIAL') AND d.rolled_back_by = ''"
# Who is rolled back just now may make room for an older target between the look and the deed.
_ROLLED_BACK_JUST_NOW: Final = """
EXISTS (SELECT FROM deployment r WHERE r.project = NEW.project AND r.environment = mine.environment
        AND r.rollback_of <> '' AND r.end_time > clock_timestamp() - interval '10 seconds')
"""


def _last(condition: str) -> str:
    """The release's own last deployment in each environment, of those that count."""
    return (
        "(SELECT d.environment, max(d.number) AS number FROM deployment d"
        f" WHERE d.release_id = NEW.id AND {condition} GROUP BY d.environment) mine"
    )


def _later(condition: str) -> str:
    """How many other releases were deployed there later."""
    return (
        "(SELECT count(DISTINCT d.release_id) FROM deployment d JOIN release r ON r.id = d.release_id"
        " WHERE d.project = NEW.project AND d.environment = mine.environment AND d.number > mine.number"
        f" AND {condition})"
    )


_NEEDS: Final = f"""
SELECT 'live in ' || environment FROM project_environment WHERE live_release_id = NEW.id
UNION SELECT 'assigned in ' || environment FROM assignment WHERE release_id = NEW.id
UNION SELECT 'on its way to ' || environment FROM deployment
    WHERE release_id = NEW.id AND status NOT IN ({_ENDED})
UNION SELECT 'pinned' WHERE NEW.pin_reason <> ''
UNION SELECT 'among the last of ' || environment FROM {_last("true")}
    WHERE {_later("r.stored_payload IS NOT NULL")} < {KEPT_RELEASES}
UNION SELECT 'a rollback target in ' || environment FROM {_last(_WENT_LIVE)}
    WHERE {_later(_WENT_LIVE)} < {KEPT_TARGETS} AND NOT {_ROLLED_BACK_JUST_NOW}
"""
_STATEMENTS: Final = (
    "CREATE TABLE seen_reference (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, time_s float,"
    " project text, version text, needed text)",
    f"""
CREATE FUNCTION note_reference() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    needed text;
BEGIN
    IF NEW.stored_payload IS NULL THEN
        SELECT coalesce(string_agg(need, ', '), '') INTO needed FROM ({_NEEDS}) AS needs (need);
    END IF;
    INSERT INTO seen_reference (time_s, project, version, needed)
        VALUES (extract(epoch FROM clock_timestamp()), NEW.project, NEW.version, needed);
    RETURN NULL;
END $$
""",
    "CREATE TRIGGER note_reference AFTER UPDATE OF stored_payload ON release FOR EACH ROW"
    " WHEN ((OLD.stored_payload IS NULL) <> (NEW.stored_payload IS NULL))"
    " EXECUTE FUNCTION note_reference()",
)


async def write_down_references(database_url: str) -> None:
    """Have it written down from now on."""
    catalogue = open_catalogue(database_url)
    try:
        async with catalogue.transaction() as transaction:
            for statement in _STATEMENTS:
                await transaction.execute(text(statement))
    finally:
        await catalogue.close()


async def references(database_url: str, recorder: Recorder) -> list[Reclaimed | Restored]:
    """All that was written down, in order. Raises ``StorageError``."""
    catalogue = open_catalogue(database_url)
    try:
        async with catalogue.reading() as transaction:
            rows = await transaction.all(text("SELECT * FROM seen_reference ORDER BY id"))
    finally:
        await catalogue.close()
    return [
        Restored(recorder.at(row.time_s), row.project, row.version)
        if row.needed is None
        else Reclaimed(recorder.at(row.time_s), row.project, row.version, row.needed)
        for row in rows
    ]
