"""The workflows of releases. Live are, by definition, those of the release that is live.

Those that were deleted stay as rows that nobody is told of, so that they can come back with any release.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql

from . import tables
from .catalogue import Transaction
from .prepared import Prepared, PreparedForSome
from .scopes import EVERYTHING, Scope, within

_w, _c = tables.workflow, tables.workflow_content
_e, _r = tables.project_environment, tables.release
# Below what either database takes in one statement.
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """One workflow of a release; ``sha256`` is its file's, ``definition_sha256`` that of what was read of it.

    One that is not valid has no definition, and is not ``registered``.
    """

    path: str
    name: str
    ref: str
    label: str
    version: str
    description: str
    tags: Sequence[str]
    enabled: bool
    task_count: int
    sha256: str
    definition_sha256: str | None
    registered: bool

    @property
    def place(self) -> tuple[str, str]:
        """What tells it from others of its release."""
        return self.path, self.name


_COLUMNS: Final = [field.name for field in fields(WorkflowRow)]
_ADD: Final = Prepared(insert(_w), ["release_id", *_COLUMNS])
_KNOWN_CONTENTS: Final = PreparedForSome(lambda some: select(_c.c.sha256).where(_c.c.sha256.in_(some)))
# Another release may bring the same content at this moment.
_KEEP_CONTENT: Final = Prepared(postgresql.insert(_c).on_conflict_do_nothing(), ["sha256", "content"])


class ReleasedWorkflow(NamedTuple):
    """A workflow with the release that it is of."""

    project: str
    release_version: str
    row: WorkflowRow


class Counts(NamedTuple):
    """How many workflows are registered, how many of these are enabled, and how many are not registered."""

    registered: int
    enabled: int
    unregistered: int


async def of_release(transaction: Transaction, release_id: int) -> Sequence[WorkflowRow]:
    """A release's workflows, by path and name; without those that were deleted."""
    rows = await transaction.all(
        select(_w)
        .where(_w.c.release_id == release_id, _w.c.deleted.is_(False))
        .order_by(_w.c.path, _w.c.name)
    )
    return [_of(row) for row in rows]


async def add_workflows(
    transaction: Transaction,
    release_id: int,
    workflows: Sequence[WorkflowRow],
    contents: Mapping[str, bytes],
) -> None:
    """Write down workflows that a release does not have yet; ``contents`` has what they name."""
    named = {
        sha256 for workflow in workflows for sha256 in (workflow.sha256, workflow.definition_sha256) if sha256
    }
    # In one order, so that two who bring the same do not wait for each other in a circle.
    for some in _portions(sorted(named)):
        known = {row.sha256 for row in await transaction.all(*_KNOWN_CONTENTS.of(some))}
        missing = [sha256 for sha256 in some if sha256 not in known]
        if missing:
            await transaction.execute(
                _KEEP_CONTENT, [{"sha256": sha256, "content": contents[sha256]} for sha256 in missing]
            )
    for start in range(0, len(workflows), _AT_ONCE):
        rows = [_values(release_id, workflow) for workflow in workflows[start : start + _AT_ONCE]]
        await transaction.execute(_ADD, rows)


async def replace_workflows(
    transaction: Transaction,
    release_id: int,
    workflows: Sequence[WorkflowRow],
    contents: Mapping[str, bytes],
) -> int:
    """Write a release's workflows down in place of those that were; ``contents`` has what they name.

    Those that were deleted come back; gives how many were. Rows that stay as they are are not touched.
    """
    known = await transaction.all(select(_w).where(_w.c.release_id == release_id))
    before = {(row.path, row.name): _of(row) for row in known}
    after = {row.place: row for row in workflows}
    # One file may hold several; where one of them changes all are written again.
    stale = {place[0] for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    new = [workflow for workflow in workflows if workflow.path in stale]
    for some in _portions(sorted(stale)):
        await transaction.execute(delete(_w).where(_w.c.release_id == release_id, _w.c.path.in_(some)))
    await add_workflows(transaction, release_id, new, contents)
    deleted: int = sum(row.deleted for row in known)
    if deleted:
        await _bring_back(transaction, _w.c.release_id == release_id)
    return deleted


class Page(NamedTuple):
    """Which of them: behind a (project, path, name), and at most ``limit``."""

    registered_only: bool
    after: tuple[str, str, str] | None
    limit: int


async def list_live(
    transaction: Transaction,
    environment: str,
    project: str,
    page: Page,
    *,
    scopes: Collection[Scope] = EVERYTHING,
) -> Sequence[ReleasedWorkflow]:
    """A page of what is live in an environment, of one project or of all, by project, path and name.

    ``scopes`` is where whoever asks may look.
    """
    statement = (
        _released()
        .join(_e, _e.c.live_release_id == _r.c.id)
        .where(_e.c.environment == environment, within(scopes, _e.c.project, _e.c.environment))
    )
    if project:
        statement = statement.where(_r.c.project == project)
    return await _paged(transaction, statement, page)


async def list_of_release(
    transaction: Transaction, release_id: int, page: Page
) -> Sequence[ReleasedWorkflow]:
    """A page of one release's, by path and name."""
    return await _paged(transaction, _released().where(_w.c.release_id == release_id), page)


class FoundWorkflow(NamedTuple):
    """A workflow with its file and its definition in JSON, which is empty where it is not valid."""

    released: ReleasedWorkflow
    source: bytes
    definition: bytes


async def find(transaction: Transaction, release_id: int, name: str) -> FoundWorkflow | None:
    """A workflow of a release by its name; of two with one name the registered one."""
    definition = _c.alias()
    row = await transaction.one(
        _released(_c.c.content.label("source"), definition.c.content.label("definition"))
        .join(_c, _c.c.sha256 == _w.c.sha256)
        .join(definition, definition.c.sha256 == _w.c.definition_sha256, isouter=True)
        .where(_w.c.release_id == release_id, _w.c.name == name)
        .order_by(_w.c.registered.desc(), _w.c.path)
        .limit(1)
    )
    return FoundWorkflow(_released_of(row), row.source, row.definition or b"") if row else None


async def count_live(
    transaction: Transaction, environment: str, *, project: str, scopes: Collection[Scope] = EVERYTHING
) -> Counts:
    """Count what is live in an environment, of one project or of all, in ``scopes``."""
    statement = (
        select(_w.c.registered, _w.c.enabled, func.count().label("workflows"))
        .join(_e, _e.c.live_release_id == _w.c.release_id)
        .where(
            _e.c.environment == environment,
            _w.c.deleted.is_(False),
            within(scopes, _e.c.project, _e.c.environment),
        )
        .group_by(_w.c.registered, _w.c.enabled)
    )
    if project:
        statement = statement.where(_e.c.project == project)
    rows = await transaction.all(statement)
    return Counts(
        sum(row.workflows for row in rows if row.registered),
        sum(row.workflows for row in rows if row.registered and row.enabled),
        sum(row.workflows for row in rows if not row.registered),
    )


async def delete_of_project(transaction: Transaction, project: str) -> int:
    """Tell nobody of the workflows of all of a project's releases any more; tells how many."""
    return await transaction.changed(
        update(_w)
        .where(_w.c.release_id.in_(_releases_of(project)), _w.c.deleted.is_(False))
        .values(deleted=True)
    )


async def restore_of_project(transaction: Transaction, project: str) -> int:
    """Bring back those of all of a project's releases that were deleted; tells how many."""
    return await _bring_back(transaction, _w.c.release_id.in_(_releases_of(project)))


async def projects_with_deleted(transaction: Transaction) -> Sequence[str]:
    """The projects that have workflows which were deleted, by name."""
    statement = select(_r.c.project).join(_w, _w.c.release_id == _r.c.id).where(_w.c.deleted.is_(True))
    return [row.project for row in await transaction.all(statement.distinct().order_by(_r.c.project))]


async def live_releases(transaction: Transaction, project: str) -> Sequence[int]:
    """The ids of the packs' releases that are live in any environment, of one project or of all."""
    statement = (
        select(_r.c.id)
        .join(_e, _e.c.live_release_id == _r.c.id)
        .where(_r.c.kind == "PACK")
        .distinct()
        .order_by(_r.c.id)
    )
    if project:
        statement = statement.where(_r.c.project == project)
    return [row.id for row in await transaction.all(statement)]


def _released(*more: Any) -> Select[Any]:
    return (
        select(_w, _r.c.project, _r.c.version.label("release_version"), *more)
        .join(_r, _r.c.id == _w.c.release_id)
        .where(_w.c.deleted.is_(False))
    )


def _releases_of(project: str) -> Select[Any]:
    return select(_r.c.id).where(_r.c.project == project)


async def _bring_back(transaction: Transaction, which: ColumnElement[bool]) -> int:
    return await transaction.changed(update(_w).where(which, _w.c.deleted.is_(True)).values(deleted=False))


async def _paged(transaction: Transaction, statement: Select[Any], page: Page) -> Sequence[ReleasedWorkflow]:
    if page.registered_only:
        statement = statement.where(_w.c.registered)
    if page.after is not None:
        statement = statement.where(tuple_(_r.c.project, _w.c.path, _w.c.name) > tuple_(*page.after))
    order = (_r.c.project, _w.c.path, _w.c.name)
    rows = await transaction.all(statement.order_by(*order).limit(page.limit))
    return [_released_of(row) for row in rows]


def _released_of(row: Row[Any]) -> ReleasedWorkflow:
    return ReleasedWorkflow(row.project, row.release_version, _of(row))


def _of(row: Row[Any]) -> WorkflowRow:
    return WorkflowRow(**{name: row._mapping[name] for name in _COLUMNS})


def _values(release_id: int, workflow: WorkflowRow) -> Mapping[str, Any]:
    return {"release_id": release_id, **{name: getattr(workflow, name) for name in _COLUMNS}}


def _portions(values: Sequence[str]) -> Sequence[Sequence[str]]:
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
