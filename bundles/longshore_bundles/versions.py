"""Versions: SemVer 2.0 with prereleases, without build metadata, at most 100 bytes.

Owns validation, bumps, and the text by which a database orders versions. Versions are never compared as
the strings they are written as; the ``semver`` library knows how.
"""

from __future__ import annotations

from enum import StrEnum

from semver import Version

from .errors import InvalidVersion

MAX_VERSION_BYTES = 100
FIRST_VERSION = "1.0.0"
"""What a project's first release is called when nobody says otherwise."""


class Bump(StrEnum):
    """Which part of a version a bump raises."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


def check_version(version: str) -> str:
    """Return ``version`` if it is valid. Raises ``InvalidVersion``."""
    _parse(version)
    return version


def bump_version(version: str, bump: Bump) -> str:
    """The next version above ``version``, never a prerelease.

    A prerelease is finished where that is what the bump asks for: ``1.3.0-rc.1`` becomes ``1.3.0`` by
    PATCH and by MINOR, and ``2.0.0`` by MAJOR. Raises ``InvalidVersion`` for a wrong ``version`` and when
    the next one would be too long.
    """
    return check_version(str(_parse(version).next_version(bump.value)))


def order_key(version: str) -> str:
    """A text of ASCII whose plain byte order is SemVer's precedence.

    In SQL it wants a binary collation (``COLLATE "C"`` in PostgreSQL; SQLite's default is). Different
    versions have different keys. Numbers are written behind their count of digits; a release ends in
    ``~``, which is above the ``-`` that begins a prerelease; numeric identifiers begin with ``0``, others
    with ``1`` and end in ``!``, which is below every character of an identifier. At most 256 characters.
    """
    parsed = _parse(version)
    key = [_number(parsed.major), _number(parsed.minor), _number(parsed.patch)]
    if parsed.prerelease is None:
        key.append("~")
    else:
        key.append("-")
        key.extend(
            f"0{_number(identifier)}" if identifier.isdigit() else f"1{identifier}!"
            for identifier in parsed.prerelease.split(".")
        )
    return "".join(key)


def case_folded(version: str) -> str:
    """The form in which versions of a project must be unique: ``1.0.0-RC`` and ``1.0.0-rc`` are one."""
    return check_version(version).lower()


def _number(value: int | str) -> str:
    digits = str(value)
    return f"{len(digits):02d}{digits}"


def _parse(version: str) -> Version:
    shown = repr(version[:120])
    if len(version) > MAX_VERSION_BYTES:
        raise InvalidVersion(
            "VERSION_INVALID", f"the version {shown} is longer than {MAX_VERSION_BYTES} bytes: shorten it"
        )
    if "+" in version:
        raise InvalidVersion(
            "VERSION_INVALID",
            f"the version {shown} carries build metadata, which does not tell versions apart: leave out the "
            "'+' and what follows it",
        )
    # The library's pattern lets digits of other scripts and a final line break pass.
    if version.isascii() and version.isprintable():
        try:
            return Version.parse(version)
        except ValueError:
            pass
    raise InvalidVersion(
        "VERSION_INVALID",
        f"{shown} is not a version of SemVer 2.0: write MAJOR.MINOR.PATCH, and -PRERELEASE behind it if it "
        "is one, for example 1.4.0 or 2.0.0-rc.1",
    )
