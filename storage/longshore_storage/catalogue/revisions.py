"""The revisions of the schema that this version knows, and what their names promise to other versions.

A revision is named ``NUMBER_from_OLDEST``: servers that know revision OLDEST, or a later one, can work with
the schema as it is after it. The name stands in the database, so a server reads it that was built long before
the revision was written. The first is named ``0001`` only, which means from itself.

A revision whose OLDEST is its predecessor's expands: servers at work before it work on behind it. One that
raises OLDEST contracts: it takes away what servers that know less still use. Tests hold every revision that
expands against what it may change (``tests/storage/catalogue/test_revisions.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

SCRIPTS: Final = Path(__file__).parent / "migrations"
FOLDERS: Sequence[Path] = (SCRIPTS / "versions",)
"""Where revisions stand."""

_NAME: Final = re.compile(r"(?P<number>\d{4})(_from_(?P<oldest>\d{4}))?")


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision by its name; ``contracts`` is known only of those that this version knows."""

    name: str
    number: int
    oldest: int
    contracts: bool = False

    def __str__(self) -> str:
        """The number, as people are told of it."""
        return f"{self.number:04}"


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for an open connection."""
    config = Config()
    config.set_main_option("script_location", _escaped(SCRIPTS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(_escaped, FOLDERS)))
    config.attributes["connection"] = connection
    return config


def known() -> Sequence[Revision]:
    """Every revision that this version knows, in the order in which they are applied."""
    return _known(tuple(FOLDERS))


def newest() -> Revision:
    """The last of ``known``: what a database has where nothing is left to be done."""
    return known()[-1]


def needed() -> Revision:
    """The last that expands: without it this version cannot work."""
    return next(revision for revision in reversed(known()) if not revision.contracts)


def parsed(name: str) -> Revision | None:
    """What a revision's name tells; None where it is none of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Revision(name, int(match["number"]), int(match["oldest"] or match["number"]))


@cache
def _known(folders: Sequence[Path]) -> Sequence[Revision]:
    found: list[Revision] = []
    for script in reversed(list(ScriptDirectory.from_config(configuration()).walk_revisions())):
        revision = parsed(script.revision)
        assert revision is not None, f"{script.path}: a revision is named NUMBER_from_OLDEST"
        contracts = bool(found) and revision.oldest > found[-1].oldest
        found.append(Revision(revision.name, revision.number, revision.oldest, contracts))
    assert found, folders
    return found


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
