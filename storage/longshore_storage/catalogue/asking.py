"""Asks a pooled connection whether it is alive before it is used, unless it was used just now.

SQLAlchemy's own ``pool_pre_ping`` asks every time, which was a third of all questions that PostgreSQL got. A
connection that breaks within the second is found out by whoever uses it, as one that breaks in use; all that
were used before it are asked then.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from sqlalchemy import Engine, event, exc

_ALIVE_FOR_S: Final = 1.0
_USED_AT: Final = "longshore_used_at"


def ask_before_use(engine: Engine) -> None:
    """Have the connections of an engine asked; one that does not answer is replaced, and all older ones."""

    broken_at = 0.0

    def note_break(_connection: Any, _record: Any, _error: Any) -> None:
        nonlocal broken_at
        broken_at = monotonic()

    def leave(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = monotonic()

    def take(connection: Any, record: Any, _proxy: Any) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None or broken_at < used_at > monotonic() - _ALIVE_FOR_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            if not engine.dialect.is_disconnect(error, connection, None):
                raise
            raise exc.InvalidatePoolError from error

    event.listen(engine, "invalidate", note_break)
    event.listen(engine, "checkin", leave)
    event.listen(engine, "checkout", take)
