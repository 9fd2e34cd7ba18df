"""What a payload is and where it was taken from; rules as in ``models``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BundleKind(StrEnum):
    """What an archive is, told by the manifest in it."""

    UNKNOWN = "unknown"
    SKILL = "skill"
    PACK = "pack"
    COMPONENT = "component"


class SourceKind(StrEnum):
    """What kind of place a payload was taken from."""

    UNKNOWN = "unknown"
    DIRECTORY = "directory"
    FILE = "file"
    URL = "url"
    GIT = "git"
    NPM = "npm"
    PYPI = "pypi"


class InstallMethod(StrEnum):
    """Who or what began a deployment: a person by hand, a program, the command line, or automation."""

    UNKNOWN = "unknown"
    MANUAL = "manual"
    API = "api"
    CLI = "cli"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a payload was taken from, as whoever sent it says.

    ``url`` is a path, a URL or the name of a package, without credentials; ``ref`` a git commit or a
    package's version. ``checksum`` is what the place told, as ``ALGORITHM:HEX``, and ``verified`` whether the
    content was found to have it.
    """

    kind: SourceKind
    url: str = ""
    ref: str = ""
    checksum: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class BundleDependency:
    """A project that must be live beside it, in a version that ``constraint`` allows; empty: any."""

    project: str
    constraint: str


@dataclass(frozen=True, slots=True)
class RuntimeDependency:
    """A runtime that every node must have, in a version that ``constraint`` allows; empty: any."""

    name: str
    constraint: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle's manifest says; empty where it says nothing. ``name`` is as written.

    ``actions`` and ``sensors`` are names of a pack's.
    """

    kind: BundleKind
    name: str
    label: str
    description: str
    author: str
    tags: tuple[str, ...]
    dependencies: tuple[BundleDependency, ...]
    runtime_dependencies: tuple[RuntimeDependency, ...]
    actions: tuple[str, ...]
    sensors: tuple[str, ...]
