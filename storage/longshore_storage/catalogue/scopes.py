"""Which projects and environments somebody may see: patterns, in Python and as a condition in SQL.

A pattern is a name, or the beginning of one with a ``*`` at its end; ``*`` alone matches every name, also
the empty one of what belongs to no project or to no environment.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, false, func, or_, true

_ANY: Final = "*"


class Scope(NamedTuple):
    """A pattern for projects and one for environments: what matches both is in it."""

    projects: str = _ANY
    environments: str = _ANY


EVERYTHING: Final = (Scope(),)


def covers(scopes: Collection[Scope], project: str | None, environment: str | None) -> bool:
    """Whether any scope has the project in that environment; None stands for any of them."""
    return any(
        (project is None or matches(scope.projects, project))
        and (environment is None or matches(scope.environments, environment))
        for scope in scopes
    )


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern matches a name."""
    return name.startswith(pattern[:-1]) if pattern.endswith(_ANY) else name == pattern


def within(
    scopes: Collection[Scope], project: ColumnElement[Any], environment: ColumnElement[Any] | None = None
) -> ColumnElement[bool]:
    """The same as a condition on columns; without one for the environment, in any environment."""
    if scopes == EVERYTHING:
        return true()
    each = [
        and_(
            _like(scope.projects, project),
            true() if environment is None else _like(scope.environments, environment),
        )
        for scope in scopes
    ]
    return or_(false(), *each)


def _like(pattern: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    if pattern == _ANY:
        return true()
    if not pattern.endswith(_ANY):
        return column == pattern
    # Not LIKE, which takes capitals for small letters in SQLite.
    return func.substr(column, 1, len(pattern) - 1) == pattern[:-1]
