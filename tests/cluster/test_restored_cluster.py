"""A database is restored from an older backup under nodes that run, in the middle of a rollout.

The nodes have obeyed higher generations than the database knows then, and have a project that it does not
know; one was restarted since. All come to what the database says, by themselves: to what was live, and to the
rollout that was under way when the backup was made. What was recorded since is gone, and its versions are
given anew to other content; generations go on above all that any node has obeyed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from psycopg import sql

from tests.bundles.trees import File, Tree
from tests.faults.calls import PROJECT
from tests.faults.invariants import State
from tests.faults.trees import V1, V2

from .fleet import ALL_ROLES, NAMES, Fleet, audit

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

DOCS: Final = "docs"
LATER: Final = "later"
V3: Tree = {**V1, "bin/run": File(b"three", executable=True)}
NEW: Tree = {**V1, "bin/run": File(b"new", executable=True)}


class Backups:
    """Copies of a database that is in use: whoever is connected is cut off."""

    def __init__(self, database_url: str) -> None:
        server, _, self._name = database_url.replace("+psycopg", "").rpartition("/")
        self._server = f"{server}/postgres"

    def back_up(self) -> str:
        """Copy it; the copy's name."""
        backup = f"{self._name}_backup"
        with self._nobody_connected() as connection:
            self._run(connection, "CREATE DATABASE {} TEMPLATE {}", backup, self._name)
            self._run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", self._name)
        return backup

    def restore(self, backup: str) -> None:
        """Put the copy in its place."""
        with self._nobody_connected() as connection:
            self._run(connection, "DROP DATABASE {}", self._name)
            self._run(connection, "ALTER DATABASE {} RENAME TO {}", backup, self._name)

    @contextmanager
    def _nobody_connected(self) -> Iterator[Connection]:
        with psycopg.connect(self._server, autocommit=True) as connection:
            self._run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", self._name)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self._name]
            )
            yield connection

    def _run(self, connection: Connection, statement: LiteralString, *names: str) -> None:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


async def test_under_nodes_that_run(fleet: Fleet) -> None:
    # Once a minute a node compares what it has obeyed with the database; here every second.
    start = partial(fleet.start, roles=ALL_ROLES, compare_every_s=1)
    await start(*NAMES)
    await fleet.release(V1)
    _, two, _ = await fleet.release(V1, V2, V1, project=DOCS)
    rolling_then = await fleet.begin(two.version, project=DOCS)
    await fleet.until(rolling_then, lambda found: bool(found.waiting_gate_id))
    backups = Backups(fleet.stores.database_url)
    backup = backups.back_up()

    await fleet.promote(rolling_then)
    await fleet.succeeded(rolling_then)
    await fleet.release(V3, project=DOCS)
    await fleet.release(V3, project=LATER)
    await fleet.nodes["c"].kill()
    await start("c")
    await fleet.release(V2, V3)
    rolling_now = await fleet.begin("1.0.1")
    await fleet.until(rolling_now, lambda found: bool(found.waiting_gate_id))
    obeyed = highest_generations(await fleet.state())

    backups.restore(backup)
    await fleet.has(V1)
    # What rolled out then rolls out again, above all that was obeyed since.
    await fleet.promote(rolling_then)
    assert (await fleet.succeeded(rolling_then)).generation > obeyed[DOCS]
    await fleet.has(V2, project=DOCS)
    (renewed,) = await fleet.release(NEW)
    assert renewed.version == "1.0.1"
    assert renewed.generation > obeyed[PROJECT]
    await fleet.has(NEW)
    await fleet.has(V3, project=LATER)
    async with fleet.client as client:
        # Whoever looks at its row finds the number of an earlier start there.
        for reason in ("look", ""):
            await client.cordon("c", reason)
    await fleet.until_state(lambda state: boots(state)["c"] == 2)
    assert all(node.running for node in fleet.nodes.values())
    state = await fleet.check(restored=True)
    assert state.deployment(rolling_now) is None
    for project in (PROJECT, DOCS):
        assert "node.ahead" in audit(state, project=project)


def highest_generations(state: State) -> dict[str, int]:
    """The highest generation that some node has obeyed, of each project."""
    ordered = sorted(state["activation"], key=lambda row: row.generation)
    return {row.project: row.generation for row in ordered}


def boots(state: State) -> dict[str, int]:
    """How often each node was started, as the database knows."""
    return {row.name: row.boot_number for row in state["node"]}
