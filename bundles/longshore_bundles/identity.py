"""The project and the version that a manifest's fields stand for, where they can be used."""

from __future__ import annotations

from .errors import InvalidName, InvalidVersion
from .names import project_from_name
from .versions import check_version


def usable_project(name: str) -> str:
    """The project that ``name`` becomes, or the empty text."""
    try:
        return project_from_name(name)
    except InvalidName:
        return ""


def usable_version(version: str) -> str:
    """``version`` if it is one, or the empty text."""
    try:
        return check_version(version)
    except InvalidVersion:
        return ""
