"""Projects of Python package indexes: which file of a version is taken, and what sha256 it must have.

A wheel that runs anywhere is taken as the file that pip installs, or unpacked where that is asked for; where
there is none, the archive of the sources. Which wheel a machine could use is not for a client to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore_client.models import PayloadFormat
from longshore_client.source_errors import SourceDamaged, SourceInvalid, SourceNotFound

from .checksums import Checksum
from .claims import Claim, hold_to_claim
from .documents import object_in, read_object, text_in
from .options import Deadline, FetchOptions
from .packages import PackageFile, fetch_package, unusable_version
from .python_versions import PythonVersion
from .registry_settings import pypi_index
from .source import Fetched, Progress, PypiSource, SourceKind
from .urls import joined, shown_url
from .web import Web

_ACCEPT: Final = "application/vnd.pypi.simple.v1+json"
_PURE: Final = "-none-any.whl"
_SDIST: Final = (".tar.gz", ".zip", ".tar.xz")
_SEPARATORS: Final = re.compile(r"[-_.]+")
_MOST_NAME_CHARACTERS: Final = 255
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the wanted version."""

    name: str
    url: str
    sha256: Checksum | None
    yanked: str | None


def fetch_pypi(
    source: PypiSource, into: Path, options: FetchOptions, deadline: Deadline, on_progress: Progress | None
) -> Fetched:
    """Fetch a wheel or the archive of the sources. Raises ``SourceError``, ``DestinationUnusable``."""
    index = pypi_index()
    web = Web(index, options, deadline)
    page = f"{index}/{_one_spelling(source.name)}/"
    answer = read_object(web, page, accept=_ACCEPT)
    if (named := text_in(answer, "name")) and _one_spelling(named) != _one_spelling(source.name):
        raise SourceDamaged(
            f"{shown_url(page)} answers with the project {named[:_SHOWN_CHARACTERS]!r}, not {source.name!r}"
        )
    files = answer.get("files")
    chosen = _chosen(files if isinstance(files, list) else [], source, page)
    file = PackageFile(
        SourceKind.PYPI,
        f"{source.name}=={source.version}",
        chosen.name,
        chosen.url,
        chosen.sha256,
        "index sha256",
    )
    path, provenance = fetch_package(web, file, into, options, on_progress)
    payload_format = (
        PayloadFormat.ZIP if chosen.name.lower().endswith(".whl") and options.unpack_wheel else None
    )
    hold_to_claim(path, _claim(source), into, deadline, payload_format)
    version, notes = _release_of(source)
    if chosen.yanked is not None:
        notes += (f"{chosen.name} was yanked: {chosen.yanked[:_SHOWN_CHARACTERS] or 'no reason told'}",)
    return Fetched(path, provenance, source.name, version, payload_format, notes)


def _claim(source: PypiSource) -> Claim:
    wanted = _comparable(source.version)
    return Claim(
        "PyPI",
        source.name,
        source.version,
        lambda manifest: _one_spelling(manifest.name) == _one_spelling(source.name),
        lambda version: _comparable(version) == wanted,
    )


def _release_of(source: PypiSource) -> tuple[str, tuple[str, ...]]:
    """Which version the release gets, and what a person should know about that."""
    parsed = PythonVersion.parse(source.version)
    version = parsed.semver if parsed else ""
    if version == source.version:
        return version, ()
    if version:
        return version, (f"version {source.version} of {source.name} is released as {version}",)
    return "", (unusable_version(source.name, source.version),)


def _chosen(entries: Iterable[object], source: PypiSource, page: str) -> _File:
    """The file to take of the version that is wanted."""
    wanted = _comparable(source.version)
    files = []
    others: set[str] = set()
    for entry in entries:
        name = text_in(entry, "filename")
        version = _version_of(name, source.name)
        if version and _comparable(version) == wanted:
            files.append(_file(entry, name, page))
        elif version:
            others.add(version)
    for suffixes in ((_PURE,), _SDIST):
        for file in files:
            if file.name.lower().endswith(suffixes):
                return file
    if files:
        raise SourceInvalid(
            f"{source.name} {source.version} has neither a wheel for any platform nor its sources, only "
            f"{_some([file.name for file in files])}: name the URL of the one that is meant"
        )
    raise SourceNotFound(
        f"{source.name} has no version {source.version}"
        + (f"; there are {_some(sorted(others))}" if others else "")
    )


def _file(entry: object, name: str, page: str) -> _File:
    url = joined(page, text_in(entry, "url"))
    sha256 = text_in(object_in(entry, "hashes"), "sha256")
    yanked = entry.get("yanked") if isinstance(entry, dict) else None
    try:
        checksum = Checksum.parse(f"sha256:{sha256}") if sha256 else None
    except SourceInvalid as error:
        raise SourceDamaged(f"{shown_url(page)} states a checksum that is none: {error.message}") from error
    return _File(name, url, checksum, yanked if isinstance(yanked, str) else ("" if yanked else None))


def _version_of(file_name: str, project: str) -> str:
    """The version in the name of a wheel or of an archive of sources, empty where it is neither."""
    stem = file_name.lower() if len(file_name) <= _MOST_NAME_CHARACTERS else ""
    if stem.endswith(".whl"):
        name, _, rest = stem.partition("-")
        version = rest.partition("-")[0]
    else:
        suffix = next((each for each in _SDIST if stem.endswith(each)), "")
        name, _, version = stem.removesuffix(suffix).rpartition("-") if suffix else ("", "", "")
    return version if _one_spelling(name) == _one_spelling(project) else ""


def _one_spelling(name: str) -> str:
    """A project's name in the form in which the ways to write it are one (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def _comparable(version: str) -> PythonVersion | str:
    """A version in a form in which the ways to write it are one; what is no version is itself."""
    return PythonVersion.parse(version) or version.lower()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[-5:]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
