"""Putting an entry into an index, and several indexes into one.

Codes: VERSION_EXISTS, CHECKSUM_CONFLICT.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from longshore_bundles.findings import Finding, FindingLog, Severity, printable
from longshore_bundles.versions import case_folded, order_key

from .index import Index, IndexedPack, IndexedRelease, by_version, each_once, highest_first


def update_index(
    index: Index,
    entry: IndexedPack,
    log: FindingLog,
    *,
    replace: bool = False,
    last_updated: str,
    path: str = "",
) -> Index | None:
    """Put the releases of ``entry`` into an index beside those that it has.

    A version that is there already is an error (VERSION_EXISTS, in ``log``, and None comes back) unless
    ``replace`` is set; then it takes the old one's place, which leaves it its time and, where it has none
    itself, its sources, if the content is the same. ``path`` is the index's, for the findings.
    """
    old = index.pack(entry.ref)
    known = by_version(old) if old else {}
    taken = [release.version for release in entry.releases if case_folded(release.version) in known]
    if taken and not replace:
        for version in taken:
            log.add(
                Finding(
                    "VERSION_EXISTS",
                    Severity.ERROR,
                    f"the index has '{entry.ref}' {version} already: replace it with --update, or give the "
                    "pack a higher version",
                    path,
                )
            )
        return None
    releases = {version: _replaced(known.get(version), new) for version, new in by_version(entry).items()}
    described = _higher(entry, old) if old else entry
    pack = dataclasses.replace(
        described,
        releases=highest_first({**known, **releases}.values()),
        more={**(old.more if old else {}), **entry.more},
    )
    others = (each for each in index.packs if each.ref != entry.ref)
    packs = tuple(sorted((*others, pack), key=lambda each: each.ref))
    return dataclasses.replace(index, packs=packs, last_updated=last_updated)


def merge_indexes(
    indexes: Sequence[tuple[str, Index]],
    log: FindingLog,
    *,
    registry_name: str | None = None,
    last_updated: str,
) -> Index | None:
    """Put indexes, each with its path, into one that has all versions of all of their packs.

    Whose highest version of a pack is the highest describes it, the earlier one where both have it. A version
    that two of them know by different checksums is an error (CHECKSUM_CONFLICT, in ``log``, and None comes
    back). ``registry_name`` is that of the first unless it is given. ``indexes`` has one at least.
    """
    _, first = indexes[0]
    packs: dict[str, IndexedPack] = {}
    origins: dict[tuple[str, str], str] = {}
    conflicts = FindingLog()
    for path, index in indexes:
        for pack in index.packs:
            known = packs.get(pack.ref)
            if known:
                _find_conflicts(known, pack, origins, path, conflicts)
            for version in by_version(pack):
                origins.setdefault((pack.ref, version), path)
            packs[pack.ref] = _merged(known, pack) if known else pack
    log.add_all(conflicts)
    if conflicts.has_errors:
        return None
    more = {key: value for _, index in reversed(indexes) for key, value in index.more.items()}
    name = first.registry_name if registry_name is None else registry_name
    return Index(name, last_updated, tuple(packs[ref] for ref in sorted(packs)), more)


def _find_conflicts(
    known: IndexedPack, pack: IndexedPack, origins: Mapping[tuple[str, str], str], path: str, log: FindingLog
) -> None:
    """Tell of every version of a pack that ``path`` knows by another checksum than an index before it."""
    releases = by_version(known)
    for version, release in by_version(pack).items():
        before = releases.get(version)
        if before and before.checksum != release.checksum:
            log.add(
                Finding(
                    "CHECKSUM_CONFLICT",
                    Severity.ERROR,
                    f"'{pack.ref}' {release.version} is {release.checksum} here, but {before.checksum} in "
                    f"{printable(origins[pack.ref, version])}: one version is one content; see which of them "
                    "`longshore checksum` prints, and take the other out",
                    path,
                )
            )


def _merged(old: IndexedPack, new: IndexedPack) -> IndexedPack:
    releases = by_version(old)
    for version, release in by_version(new).items():
        known = releases.get(version)
        releases[version] = _joined(known, release) if known else release
    return dataclasses.replace(
        _higher(old, new), releases=highest_first(releases.values()), more={**new.more, **old.more}
    )


def _replaced(old: IndexedRelease | None, new: IndexedRelease) -> IndexedRelease:
    """A release in the place of another, of which only stays what still holds."""
    if old is None:
        return new
    same_content = old.checksum == new.checksum
    return dataclasses.replace(
        new,
        published_at=old.published_at if same_content and old.published_at else new.published_at,
        install_sources=new.install_sources or (old.install_sources if same_content else ()),
        more={**old.more, **new.more},
    )


def _higher(one: IndexedPack, other: IndexedPack) -> IndexedPack:
    """Which of the two has the higher version, and so describes the pack; the first where both have it."""
    return other if order_key(other.highest.version) > order_key(one.highest.version) else one


def _joined(old: IndexedRelease, new: IndexedRelease) -> IndexedRelease:
    """One release of what two indexes know of it: the sources of both, the earlier of the times."""
    times = [each for each in (old.published_at, new.published_at) if each]
    return dataclasses.replace(
        old,
        published_at=min(times, default=""),
        install_sources=each_once((*old.install_sources, *new.install_sources)),
        more={**new.more, **old.more},
    )
