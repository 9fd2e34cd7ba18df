"""Projects, environments, and what is live where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Row, Table, and_, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql

from . import tables
from .catalogue import Transaction
from .environments import get_environment
from .prepared import Prepared, PreparedForSome
from .rows import Live
from .scopes import EVERYTHING, Scope, within

_p, _live = tables.project, tables.project_environment
_here = and_(_live.c.project == bindparam("of"), _live.c.environment == bindparam("within"))
_APPEAR = Prepared(
    update(_p)
    .where(_p.c.name == bindparam("of"), _p.c.only_validated)
    .values(only_validated=False, create_time=bindparam("now"))
)
_ENVIRONMENT = Prepared(select(tables.environment.c.name).where(tables.environment.c.name == bindparam("of")))
_LOCK_PROJECT = Prepared(
    select(_p).where(_p.c.name == bindparam("of"), ~_p.c.only_validated).with_for_update(key_share=True)
)
_LOCK_PROJECTS = PreparedForSome(
    lambda names: (
        select(_p)
        .where(_p.c.name.in_(names), ~_p.c.only_validated)
        .order_by(_p.c.name)
        .with_for_update(key_share=True)
    )
)
_NAME = Prepared(
    update(_p)
    .where(_p.c.name == bindparam("of"))
    .values(display_name=bindparam("as_written"), kind=bindparam("as_kind"))
)
_GET_LIVE = Prepared(select(_live).where(_here))
_LOCK_LIVE = Prepared(select(_live).where(_here).with_for_update(key_share=True))
_SET_LIVE = Prepared(
    update(_live)
    .where(_here)
    .values(
        live_release_id=bindparam("release"),
        live_deployment_id=bindparam("deployment"),
        live_generation=bindparam("as_generation"),
        live_time=bindparam("now"),
    )
)


class Project(NamedTuple):
    """A project: its name, its name for people, when it came into being, and what it is.

    ``kind`` is SKILL, PACK or COMPONENT, as the manifest said that first named it; empty while none did.
    """

    name: str
    display_name: str
    create_time: datetime
    kind: str


class LiveVersion(NamedTuple):
    """A live row with the version it names, None where nothing is live, and its environment's rule."""

    live: Live
    version: str | None
    environment_second_person: bool


async def insert_if_absent(transaction: Transaction, table: Table, **values: object) -> None:
    """Insert a row unless its key is there already."""
    await transaction.execute(_inserting_if_absent(table, frozenset(values)), values)


async def ensure_project(
    transaction: Transaction, name: str, display_name: str, *, only_validated: bool = False
) -> None:
    """Bring a project into being, unseen while it is ``only_validated``."""
    now = await transaction.now()
    values = {"name": name, "display_name": display_name, "create_time": now}
    await insert_if_absent(transaction, _p, **values, only_validated=only_validated)
    if not only_validated:
        await transaction.execute(_APPEAR, {"of": name, "now": now})


async def drop_only_validated(transaction: Transaction) -> int:
    """Forget projects that only uploads named which were validated, once nothing of them is stored.

    Raises ``ConstraintViolated`` where one is named again meanwhile.
    """
    p = tables.project
    named_by = (tables.deployment, tables.release, tables.chunk, tables.project_environment)
    unnamed = [~select(table.c.project).where(table.c.project == p.c.name).exists() for table in named_by]
    return await transaction.changed(delete(p).where(p.c.only_validated, *unnamed))


async def ensure_environment(transaction: Transaction, name: str) -> None:
    """Bring an environment into being, as a node does that registers in it."""
    await insert_if_absent(transaction, tables.environment, name=name, create_time=await transaction.now())


async def environment_exists(transaction: Transaction, name: str) -> bool:
    """Whether the environment was configured or a node registered in it."""
    return await transaction.one(_ENVIRONMENT, {"of": name}) is not None


async def lock_project(transaction: Transaction, name: str) -> Project | None:
    """Lock a project's row until the transaction ends: what recording happens under."""
    row = await transaction.one(_LOCK_PROJECT, {"of": name})
    return _project(row) if row else None


async def lock_projects(transaction: Transaction, names: Iterable[str]) -> Mapping[str, Project]:
    """Lock several projects' rows, in the order in which everybody does: by name. Those that are there."""
    statement, listed = _LOCK_PROJECTS.of(sorted(set(names)))
    return {row.name: _project(row) for row in await transaction.all(statement, listed)}


async def get_project(transaction: Transaction, name: str) -> Project | None:
    """Read a project."""
    p = tables.project
    row = await transaction.one(select(p).where(p.c.name == name, ~p.c.only_validated))
    return _project(row) if row else None


async def list_projects(
    transaction: Transaction, *, scopes: Collection[Scope] = EVERYTHING, after: str, limit: int
) -> Sequence[Project]:
    """A page of projects by name, behind ``after``; of those in ``scopes`` in any environment."""
    p = tables.project
    rows = await transaction.all(
        select(p)
        .where(p.c.name > after, ~p.c.only_validated, within(scopes, p.c.name))
        .order_by(p.c.name)
        .limit(limit)
    )
    return [_project(row) for row in rows]


async def lock_live(transaction: Transaction, project: str, environment: str) -> Live:
    """Lock the live row, made when it is missing, until the transaction ends."""
    here = {"of": project, "within": environment}
    row = await transaction.one(_LOCK_LIVE, here)
    if row is None:
        await insert_if_absent(transaction, _live, project=project, environment=environment)
        row = await transaction.one(_LOCK_LIVE, here)
    assert row is not None
    return Live.of(row)


async def get_live(transaction: Transaction, project: str, environment: str) -> Live | None:
    """Read the live row; None when the project was never deployed there."""
    row = await transaction.one(_GET_LIVE, {"of": project, "within": environment})
    return Live.of(row) if row else None


async def list_live(
    transaction: Transaction, project: str, *, scopes: Collection[Scope] = EVERYTHING, limit: int
) -> Sequence[LiveVersion]:
    """What a project has live in each environment, by the environment's name; of those in ``scopes``."""
    table, r, e = tables.project_environment, tables.release, tables.environment
    rows = await transaction.all(
        select(*table.c, r.c.version.label("version"), e.c.second_person.label("of_all"))
        .join_from(table, r, table.c.live_release_id == r.c.id, isouter=True)
        .join(e, e.c.name == table.c.environment)
        .where(table.c.project == project, within(scopes, table.c.project, table.c.environment))
        .order_by(table.c.environment)
        .limit(limit)
    )
    return [LiveVersion(Live.of(row), row.version, row.of_all) for row in rows]


async def environments_of(transaction: Transaction, project: str) -> Sequence[str]:
    """Where a project was ever deployed to, or set, by name."""
    rows = await transaction.all(
        select(_live.c.environment).where(_live.c.project == project).order_by(_live.c.environment)
    )
    return [row.environment for row in rows]


async def live_version(transaction: Transaction, live: Live) -> LiveVersion:
    """A live row with what goes with it."""
    r = tables.release
    row = await transaction.one(select(r.c.version).where(r.c.id == live.live_release_id))
    environment = await get_environment(transaction, live.environment)
    assert environment is not None, "an environment is never deleted"
    return LiveVersion(live, row.version if row else None, environment.second_person)


async def next_generation(transaction: Transaction, live: Live) -> int:
    """Hand out the next generation; the caller holds the live row's lock."""
    return await _raise(transaction, live, "generation")


async def raise_generation(transaction: Transaction, live: Live, past: int) -> Live:
    """Hand out nothing up to ``past`` any more; the caller holds the live row's lock."""
    table = tables.project_environment
    row = await transaction.one(
        update(table)
        .where(table.c.project == live.project, table.c.environment == live.environment)
        .values(generation=past)
        .returning(*table.c)
    )
    assert row is not None
    return Live.of(row)


async def next_queue_order(transaction: Transaction, live: Live) -> int:
    """Hand out the next place in the queue; the caller holds the live row's lock."""
    return await _raise(transaction, live, "last_queue_order")


async def set_live(
    transaction: Transaction, live: Live, *, release_id: int | None, deployment_id: str, generation: int
) -> None:
    """Make a release what is live; the caller holds the live row's lock."""
    await transaction.execute(
        _SET_LIVE,
        {
            "of": live.project,
            "within": live.environment,
            "release": release_id,
            "deployment": deployment_id,
            "as_generation": generation,
            "now": await transaction.now(),
        },
    )


async def change_settings(transaction: Transaction, project: str, environment: str, **values: object) -> Live:
    """Set columns of what people set; the caller holds the live row's lock."""
    table = tables.project_environment
    row = await transaction.one(
        update(table)
        .where(table.c.project == project, table.c.environment == environment)
        .values(settings_revision=table.c.settings_revision + 1, **values)
        .returning(*table.c)
    )
    assert row is not None
    return Live.of(row)


async def name_project(transaction: Transaction, name: str, display_name: str, kind: str) -> None:
    """Note a project's name as its manifest writes it, and what it is; under the project's lock."""
    await transaction.execute(_NAME, {"of": name, "as_written": display_name, "as_kind": kind})


def _project(row: Row[Any]) -> Project:
    return Project(row.name, row.display_name, row.create_time, row.kind)


async def _raise(transaction: Transaction, live: Live, column: str) -> int:
    row = await transaction.one(_raising(column), {"of": live.project, "within": live.environment})
    assert row is not None
    return int(row[0])


@cache
def _raising(column: str) -> Prepared:
    raised = update(_live).where(_here).values({column: _live.c[column] + 1})
    return Prepared(raised.returning(_live.c[column]))


@cache
def _inserting_if_absent(table: Table, columns: Collection[str]) -> Prepared:
    # Of the two dialects that have it, SQLite's compiler takes PostgreSQL's construct, too.
    return Prepared(postgresql.insert(table).on_conflict_do_nothing(), columns)
