"""What commands print that is none of the library's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longshore_client.models import Finding, PayloadFormat


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """What was asked is so already; nothing was recorded."""

    nothing_to_do: bool = True


@dataclass(frozen=True, slots=True)
class Checksum:
    """The content checksum of a path, `sha256:` before its digits; no format where it is a directory."""

    path: str
    content_sha256: str
    payload_format: PayloadFormat | None


@dataclass(frozen=True, slots=True)
class NewBundle:
    """A bundle that was written from a template, and its files by their paths in it."""

    kind: str
    name: str
    path: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemovedNode:
    """A node that is forgotten, and whether it was registered until now."""

    node_name: str
    was_registered: bool


@dataclass(frozen=True, slots=True)
class FoundPack:
    """A pack that a search has found, as its latest version, and the index that it is in."""

    ref: str
    version: str
    label: str
    description: str
    keywords: tuple[str, ...]
    index: str


@dataclass(frozen=True, slots=True)
class NeededPack:
    """A pack that another one needs, and the constraint on its version."""

    ref: str
    version: str


@dataclass(frozen=True, slots=True)
class PackSource:
    """Where a version is fetched from; `ref` is that of git, or empty."""

    type: str
    url: str
    ref: str
    checksum: str


@dataclass(frozen=True, slots=True)
class PackItem:
    """An action, sensor or workflow that a pack has."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ShownPack:
    """One version of a pack, and the index that it is in.

    What a pack says of itself is what its highest version says, `described_version`.
    """

    ref: str
    version: str
    checksum: str
    published_at: str
    install_sources: tuple[PackSource, ...]
    label: str
    description: str
    author: str
    license: str
    keywords: tuple[str, ...]
    runtime_deps: Mapping[str, str]
    dependencies: tuple[NeededPack, ...]
    contents: Mapping[str, tuple[PackItem, ...]]
    described_version: str
    versions: tuple[str, ...]
    index: str


@dataclass(frozen=True, slots=True)
class IndexUpdated:
    """What was put into an index, and how many packs it has now."""

    path: Path
    ref: str
    version: str
    checksum: str
    packs: int


@dataclass(frozen=True, slots=True)
class IndexMerged:
    """An index that was made of others, and how much is in it."""

    path: Path
    packs: int
    releases: int


@dataclass(frozen=True, slots=True)
class IndexVerified:
    """Whether an index holds what it says; the findings are the first of them, errors first."""

    path: Path
    valid: bool
    packs: int
    releases: int
    findings: tuple[Finding, ...]
    total_findings: int
