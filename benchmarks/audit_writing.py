"""Entries of the audit trail, a thousand a second, written into a node's database from beside.

``python -m benchmarks.audit_writing DATABASE_URL`` is the process that writes them: each line that it is
given makes it begin, or pause between two transactions, and it answers with how many it has written.

It stands for other nodes and for people at other machines, whose processors the measured ones do not share.
So it writes as thriftily as the database lets it, a statement or two a transaction and no library between:
what it takes itself is not what is measured. What the database does for an entry, its triggers, indexes and
syncs, is the same.
"""

from __future__ import annotations

import asyncio
import json
import select
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from longshore_storage.catalogue.audit_trail import audit_values
from longshore_storage.catalogue.rows import Actor

A_SECOND = 1_000
# Twenty transactions a second: each costs a sync of the disk, whatever is in it. A node's have one entry or
# a few, or up to a thousand where retention reclaims payloads.
_IN_A_TRANSACTION = 50
_ACTOR = Actor("bench@example.com", "ipv4:192.0.2.1:40000", "0123456789abcdef0123456789abcdef")

_Entries = Sequence[Mapping[str, Any]]


class AuditWriter:
    """The process, which writes only where it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def toggle(self) -> int:
        """Let it begin, or pause; tells how many entries are committed by then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError("whoever writes audit entries has ended: its standard error tells why")
        return int(answer)


@asynccontextmanager
async def audit_writer(url: str) -> AsyncIterator[AuditWriter]:
    """A writer into the database at ``url``, gone at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.audit_writing", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    try:
        yield AuditWriter(process)
    finally:
        # It ends where nobody tells it anything more.
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def _write(commit: Callable[[_Entries], None]) -> None:
    written = 0
    while sys.stdin.readline():
        print(written, flush=True)
        begun_s, before = time.monotonic(), written
        due_s = begun_s
        while not _told_until(due_s):
            commit(_entries(written))
            written += _IN_A_TRANSACTION
            # Whoever had to wait catches up.
            due_s = begun_s + (written - before) / A_SECOND
        if not sys.stdin.readline():
            return
        print(written, flush=True)


def _told_until(due_s: float) -> bool:
    """Wait; whether there is a line, or an end, to be read by then."""
    readable, _, _ = select.select([sys.stdin], [], [], max(0.0, due_s - time.monotonic()))
    return bool(readable)


def _entries(first: int) -> _Entries:
    values = audit_values(
        datetime.now(UTC), _ACTOR, "release.pinned", project="audited", message="as measured"
    )
    return [{**values, "version": f"0.0.{first + number}"} for number in range(_IN_A_TRANSACTION)]


def _on_sqlite(path: str) -> Callable[[_Entries], None]:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")

    def commit(entries: _Entries) -> None:
        names = list(entries[0])
        values = ", ".join(f":{name}" for name in names)
        time_text = entries[0]["time"].replace(tzinfo=None).isoformat(" ", "microseconds")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            f"INSERT INTO audit_entry ({', '.join(names)}) VALUES ({values})",
            [{**entry, "time": time_text} for entry in entries],
        )
        connection.execute("COMMIT")

    return commit


def _on_postgres(url: str) -> Callable[[_Entries], None]:
    connection = psycopg.connect(url, autocommit=True)

    def commit(entries: _Entries) -> None:
        names = ", ".join(entries[0])
        connection.execute(
            f"INSERT INTO audit_entry ({names})"
            f" SELECT {names} FROM json_populate_recordset(NULL::audit_entry, %s)",
            [json.dumps(entries, default=datetime.isoformat)],
        )

    return commit


def _main(url: str) -> None:
    database = make_url(url)
    if database.get_backend_name() == "sqlite":
        _write(_on_sqlite(str(database.database)))
    else:
        _write(_on_postgres(database.set(drivername="postgresql").render_as_string(hide_password=False)))


if __name__ == "__main__":
    _main(sys.argv[1])
