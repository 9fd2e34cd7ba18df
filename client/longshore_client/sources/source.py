"""What a payload can come from, as a person names it, and what is told of where it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from longshore_client.bundle_models import Source as RecordedSource
from longshore_client.bundle_models import SourceKind as RecordedKind
from longshore_client.models import PayloadFormat

from .checksums import Checksum


class SourceKind(StrEnum):
    """Where the bytes of a payload come from."""

    DIRECTORY = "directory"
    ARCHIVE = "archive"
    FILE = "file"
    URL = "url"
    GIT = "git"
    NPM = "npm"
    PYPI = "pypi"


_RECORDED_KINDS: Final = {
    SourceKind.DIRECTORY: RecordedKind.DIRECTORY,
    SourceKind.ARCHIVE: RecordedKind.FILE,
    SourceKind.FILE: RecordedKind.FILE,
    SourceKind.URL: RecordedKind.URL,
    SourceKind.GIT: RecordedKind.GIT,
    SourceKind.NPM: RecordedKind.NPM,
    SourceKind.PYPI: RecordedKind.PYPI,
}
_MOST_URL_BYTES: Final = 2000
_MOST_REF_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class PathSource:
    """A directory, an archive or any other file on this machine."""

    path: Path
    kind: SourceKind


@dataclass(frozen=True, slots=True)
class UrlSource:
    """An archive or any other file behind a URL, and the checksum that it must have if one is known."""

    url: str
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class GitSource:
    """One commit of a git repository; ``ref`` is a branch, a tag or a whole commit id, empty for HEAD."""

    url: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class NpmSource:
    """A package of an npm registry; ``wanted`` is a version, a tag such as ``latest``, or a range."""

    name: str
    wanted: str = "latest"


@dataclass(frozen=True, slots=True)
class PypiSource:
    """One version of a project of a Python package index."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class IndexSource:
    """A bundle by its ref in registry indexes; ``wanted`` is a version, ``latest``, or a constraint."""

    ref: str
    wanted: str = "latest"


Source = PathSource | UrlSource | GitSource | NpmSource | PypiSource | IndexSource


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a payload came from, for the release's record. Holds no credentials.

    Attributes:
        kind: What the bytes came from; of a source out of an index, what the index named.
        url: The URL or path that was read, without what stood behind a question mark.
        ref: The commit of a git repository, ``NAME@VERSION`` of npm or an index, ``NAME==VERSION`` of
            PyPI; else empty.
        checksum: ``sha256:`` and 64 hexadecimal digits: of a single file or archive the sha256 of its bytes,
            of a tree its content_sha256. Empty for a path on this machine that was held against none.
        verified: Whether the content was held against something that was known before it came.
        verified_by: Against what, such as ``npm integrity sha512``; empty where it was not verified.
        index: The index that named it, or empty.
    """

    kind: SourceKind
    url: str
    ref: str = ""
    checksum: str = ""
    verified: bool = False
    verified_by: str = ""
    index: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A payload on this machine, a directory or a file, and where it came from.

    ``name`` is what the source calls it, ``version`` the version of SemVer that this is; each is empty where
    there is none, or only the payload can tell.
    ``payload_format`` is None where the payload's own bytes tell. ``notes`` say what a person should know.
    """

    path: Path
    provenance: Provenance
    name: str = ""
    version: str = ""
    payload_format: PayloadFormat | None = None
    notes: tuple[str, ...] = ()

    def as_source(self) -> RecordedSource:
        """What a release records, as ``Client.deploy`` takes it; what is too long to be recorded is left out.

        An index is no kind of place: what it calls a payload stands where the place itself tells nothing.
        """
        told = self.provenance
        ref = told.ref or (f"{self.name}@{self.version}" if told.index else "")
        return RecordedSource(
            _RECORDED_KINDS[told.kind],
            told.url if told.url.isprintable() and len(told.url.encode()) <= _MOST_URL_BYTES else "",
            ref if len(ref.encode()) <= _MOST_REF_BYTES else "",
            told.checksum,
            told.verified,
        )


Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come so far, and how many there will be, None where nobody knows."""
