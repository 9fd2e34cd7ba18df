"""Tells what a person's text means as the source of a payload.

A path that exists is a path, whatever else it looks like. What could mean several things is an error that
says how to write each of them; nothing is guessed, and nothing is asked over the network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from longshore_bundles import DETECT_BYTES, Constraint, InvalidConstraint, PayloadFormat, detect_format
from longshore_client.source_errors import SourceInvalid, SourceNotFound

from .checksums import Checksum
from .git_urls import git_source
from .source import IndexSource, NpmSource, PathSource, PypiSource, Source, SourceKind, UrlSource
from .urls import MOST_URL_CHARACTERS, checked_url, shown_text, shown_url

_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_SCP: Final = re.compile(r"(?P<user>[^@/:\s]+)@(?P<host>[^@/:\s]+):(?P<path>.+)")
_NPM: Final = re.compile(
    r"(?P<name>(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*)(?:@(?P<wanted>.*))?", re.IGNORECASE
)
_PYPI: Final = re.compile(
    r"(?P<name>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)\s*==\s*(?P<version>[a-z0-9][a-z0-9.!+_-]*)", re.IGNORECASE
)
_REF: Final = re.compile(r"(?P<ref>[a-z][a-z0-9_-]{0,99})(?:@(?P<wanted>.*))?")
_WANTED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def parse_source(text: str) -> Source:
    """What ``text`` names: a path, a URL, a git repository, a package, or a bundle in an index.

    Raises ``SourceInvalid`` for what is none or could be several, ``SourceNotFound`` for a path that is not
    there, ``SourceRefused`` for a URL with credentials.
    """
    if len(text) > MOST_URL_CHARACTERS:
        raise SourceInvalid(f"{_shown(text)} is longer than {MOST_URL_CHARACTERS} characters: no source is")
    path = _existing(text) if text else None
    if path is not None:
        return path
    if not text or not text.isprintable():
        raise SourceInvalid(
            "a source is a path, a URL, npm:NAME@VERSION, pypi:NAME==VERSION, or REF[@VERSION]"
        )
    if text.startswith("git+"):
        return git_source(text)
    if found := _SCHEME.match(text):
        return _of_url(text, found["scheme"].lower())
    if text.startswith("npm:"):
        return _of_npm(text)
    if text.startswith("pypi:"):
        return _of_pypi(text)
    if _SCP.fullmatch(text):
        return git_source(text)
    if found := _REF.fullmatch(text):
        return IndexSource(found["ref"], _wanted(found["wanted"], text))
    raise _not_understood(text)


def _existing(text: str) -> PathSource | None:
    path = Path(text)
    try:
        if path.is_dir():
            return PathSource(path, SourceKind.DIRECTORY)
        if not path.exists():
            return None
        if not path.is_file():
            raise SourceInvalid(
                f"{_shown(text)} is neither a directory nor a file: give what comes out of it as `-`, or put "
                "it into a file first"
            )
        with path.open("rb") as file:
            is_file = detect_format(file.read(DETECT_BYTES), path.name) is PayloadFormat.FILE
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise SourceInvalid(f"cannot read {_shown(text)}: {error.strerror}") from error
        return None
    return PathSource(path, SourceKind.FILE if is_file else SourceKind.ARCHIVE)


def _of_url(text: str, scheme: str) -> Source:
    if scheme == "ssh":
        return git_source(text)
    if scheme not in ("http", "https"):
        advice = (
            "write its path" if scheme == "file" else "write https://…, or git+https://… for a repository"
        )
        raise SourceInvalid(f"{shown_url(text)} cannot be fetched by {scheme}: {advice}")
    parts = checked_url(text, "http", "https")
    if parts.path.endswith(".git") or ".git@" in parts.path:
        return git_source(text)
    bare, _, fragment = text.partition("#")
    if not fragment:
        return UrlSource(bare)
    if "=" not in fragment:
        raise SourceInvalid(
            f"{shown_url(bare)} could be a file or a git repository: write git+{shown_url(bare)}@REF for a "
            "repository; a file's URL ends in nothing, or in #sha256=DIGITS"
        )
    return UrlSource(bare, Checksum.parse(fragment))


def _of_npm(text: str) -> NpmSource:
    found = _NPM.fullmatch(text.removeprefix("npm:"))
    if found is None:
        raise SourceInvalid(
            f"{_shown(text)} names no package: write npm:NAME@VERSION, or npm:@SCOPE/NAME@VERSION"
        )
    return NpmSource(found["name"], _wanted(found["wanted"], text))


def _of_pypi(text: str) -> PypiSource:
    found = _PYPI.fullmatch(text.removeprefix("pypi:"))
    if found is None:
        raise SourceInvalid(
            f"{_shown(text)} names no one version of a project: write pypi:NAME==VERSION, such as "
            "pypi:requests==2.32.3"
        )
    return PypiSource(found["name"], found["version"])


def _wanted(wanted: str | None, text: str) -> str:
    """A version, a tag or a constraint behind an ``@``, checked as far as that can be done here."""
    if wanted is None:
        return "latest"
    if not wanted:
        raise SourceInvalid(f"{_shown(text)} names no version behind the @: write one, or leave the @ out")
    if _WANTED.fullmatch(wanted):
        return wanted
    if "/" in wanted or "@" in wanted:
        # Not repeated: it may be a URL with a password.
        raise SourceInvalid(f"{_shown(text)} has no version, tag or constraint behind the @")
    try:
        Constraint.parse(wanted)
    except InvalidConstraint as error:
        raise SourceInvalid(f"{_shown(text)}: {error.message}") from error
    return wanted


def _not_understood(text: str) -> SourceInvalid | SourceNotFound:
    shown = shown_text(text)
    if text.startswith(("/", "./", "../", "~")) or text.endswith("/") or text in (".", ".."):
        return SourceNotFound(f"{shown} does not exist")
    if text.startswith("-"):
        return SourceInvalid(f"{shown} looks like an option: write ./{shown} for a path")
    if ":" in text:
        return SourceInvalid(
            f"{shown} is no path that exists, and could be several other things: write "
            "https://HOST/PATH for an archive, git+ssh://USER@HOST/PATH@REF or USER@HOST:PATH for a "
            "repository, npm:NAME@VERSION or pypi:NAME==VERSION for a package"
        )
    if "/" in text:
        return SourceInvalid(
            f"{shown} is no path that exists: write git+https://HOST/{shown}@REF for a "
            "repository, https://… for an archive, npm:… for a package"
        )
    return SourceNotFound(
        f"{shown} does not exist, and is no ref of an index: such a ref has a-z, 0-9, '_' and '-', "
        "and maybe @VERSION behind it"
    )


def _shown(text: str) -> str:
    kind, colon, name = text.partition(":")
    return f"{kind}:{shown_url(name)}" if kind in ("npm", "pypi") and colon else shown_url(text)
