"""An index as values: a registry's packs, each with its versions, and where these are fetched from.

Invariants, kept by whoever makes one: packs are sorted by ref and each ref is there once; a pack has at
least one release, highest version first, and each version once, whatever its case. A pack is described as its
highest version describes itself. ``more`` holds the keys that this program does not know: they are kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from longshore_bundles.constraints import Constraint
from longshore_bundles.dependencies import Dependency
from longshore_bundles.versions import case_folded, order_key

ARCHIVE: Final = "archive"
GIT: Final = "git"
LATEST: Final = "latest"
"""How somebody asks for no version in particular."""

_More = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InstallSource:
    """Where a version is fetched from: ``type`` is ``ARCHIVE`` or ``GIT``, ``ref`` is git's.

    ``checksum`` is the content checksum, ``sha256:`` before its digits, or empty.
    """

    type: str
    url: str
    ref: str = ""
    checksum: str = ""
    more: _More = dataclasses.field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells it from the other sources of a version."""
        return self.type, self.url, self.ref


@dataclass(frozen=True, slots=True)
class ContentItem:
    """An action, sensor or workflow that a pack has."""

    name: str
    description: str = ""
    more: _More = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexedRelease:
    """One version of a pack; ``published_at`` is as RFC 3339 writes times, or empty."""

    version: str
    checksum: str
    published_at: str = ""
    install_sources: tuple[InstallSource, ...] = ()
    more: _More = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexedPack:
    """A pack and all its versions; ``contents`` has the items by kind, such as ``actions``."""

    ref: str
    label: str
    description: str
    releases: tuple[IndexedRelease, ...]
    author: str = ""
    license: str = ""
    keywords: tuple[str, ...] = ()
    runtime_deps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    contents: Mapping[str, tuple[ContentItem, ...]] = dataclasses.field(default_factory=dict)
    more: _More = dataclasses.field(default_factory=dict)

    @property
    def highest(self) -> IndexedRelease:
        """The release with the highest version, prereleases counted."""
        return self.releases[0]

    @property
    def latest(self) -> IndexedRelease:
        """What somebody gets who asks for no version: the highest that is no prerelease, if there is one."""
        return next((each for each in self.releases if "-" not in each.version), self.highest)

    def release(self, version: str) -> IndexedRelease | None:
        """One of its releases; None where there is no such version."""
        return next((each for each in self.releases if each.version == version), None)

    def wanted(self, wanted: str) -> IndexedRelease | None:
        """What somebody gets who asks for ``latest``, a version, or the highest that a constraint allows.

        None where there is none. Raises ``InvalidConstraint``.
        """
        if wanted == LATEST:
            return self.latest
        exact = self.release(wanted)
        if exact is not None:
            return exact
        found = Constraint.parse(wanted).highest(each.version for each in self.releases)
        return None if found is None else self.release(found)


@dataclass(frozen=True, slots=True)
class Index:
    """What a registry has; ``last_updated`` is as RFC 3339 writes times."""

    registry_name: str
    last_updated: str
    packs: tuple[IndexedPack, ...] = ()
    more: _More = dataclasses.field(default_factory=dict)

    def pack(self, ref: str) -> IndexedPack | None:
        """One of its packs; None where there is none of this ref."""
        return next((each for each in self.packs if each.ref == ref), None)


def each_once(sources: Iterable[InstallSource]) -> tuple[InstallSource, ...]:
    """Sources without those that name the place of one before them."""
    found: dict[tuple[str, str, str], InstallSource] = {}
    for each in sources:
        found.setdefault(each.place, each)
    return tuple(found.values())


def highest_first(releases: Iterable[IndexedRelease]) -> tuple[IndexedRelease, ...]:
    """Releases in the order in which a pack has them."""
    return tuple(sorted(releases, key=lambda release: order_key(release.version), reverse=True))


def by_version(pack: IndexedPack) -> dict[str, IndexedRelease]:
    """A pack's releases by version, in the form in which versions are unique."""
    return {case_folded(each.version): each for each in pack.releases}
