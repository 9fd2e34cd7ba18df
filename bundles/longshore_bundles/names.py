"""The names of projects, environments and single files, and how other names become a project's.

Refuses rather than repairs: only lower-casing and npm's scope are mapped, whatever else does not fit is
an error that shows the rule.
"""

from __future__ import annotations

import re

from .errors import InvalidName

_PROJECT = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NPM_SCOPED = re.compile(r"@([^/@]+)/([^/@]+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_FILE_NAME_BYTES = 255


def check_project(name: str) -> str:
    """Return ``name`` if it is a valid project name. Raises ``InvalidName``."""
    if _PROJECT.fullmatch(name) is None:
        raise InvalidName(
            "PROJECT_INVALID",
            f"{name[:120]!r} is not a valid project name: use 1 to 100 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit",
        )
    return name


def project_from_name(name: str) -> str:
    """The project that a manifest's or a directory's name stands for.

    Lower-cases it; npm's ``@scope/name`` becomes ``scope.name``. Raises ``InvalidName`` when that is no
    valid project name.
    """
    scoped = _NPM_SCOPED.fullmatch(name)
    project = (f"{scoped[1]}.{scoped[2]}" if scoped else name).lower()
    if _PROJECT.fullmatch(project) is None:
        raise InvalidName(
            "PROJECT_INVALID",
            f"the name {name[:120]!r} does not make a valid project name: name the project yourself, with 1 "
            "to 100 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
        )
    return project


def check_environment(name: str) -> str:
    """Return ``name`` if it is a valid environment name. Raises ``InvalidName``."""
    if _ENVIRONMENT.fullmatch(name) is None:
        raise InvalidName(
            "ENVIRONMENT_INVALID",
            f"{name[:80]!r} is not a valid environment name: use 1 to 63 of a-z, 0-9 and '-', beginning with "
            "a letter or digit",
        )
    return name


def check_file_name(name: str) -> str:
    """Return ``name`` if a single file can be installed under it. Raises ``InvalidName``."""
    try:
        size_bytes = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        size_bytes = 0
    fits = 0 < size_bytes <= _MAX_FILE_NAME_BYTES
    if not fits or name in (".", "..") or "/" in name or _CONTROL.search(name):
        raise InvalidName(
            "FILE_NAME_INVALID",
            f"{name[:120]!r} is not a valid file name: give the last part of its path alone, at most "
            f"{_MAX_FILE_NAME_BYTES} bytes of UTF-8 without control characters",
        )
    return name
