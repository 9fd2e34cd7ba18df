"""Holding an index against the packs themselves.

Codes: PACK_NOT_INDEXED, VERSION_NOT_INDEXED, CHECKSUM_MISMATCH; warnings: ENTRY_DIFFERS,
INSTALL_SOURCE_MISSING.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from longshore_bundles.findings import Finding, FindingLog, Severity
from longshore_bundles.versions import case_folded

from .index import Index, IndexedPack, by_version
from .rendering import pack_value

_DESCRIPTION: Final = (
    *("label", "description", "author", "license", "keywords", "runtime_deps", "dependencies", "contents"),
)


def verify_sources(index: Index, log: FindingLog, *, path: str) -> None:
    """Warn of versions that nobody can fetch; ``path`` is the index's."""
    for pack in index.packs:
        for release in pack.releases:
            if not release.install_sources:
                log.add(
                    Finding(
                        "INSTALL_SOURCE_MISSING",
                        Severity.WARNING,
                        f"'{pack.ref}' {release.version} has no install source, so nobody can fetch it",
                        path,
                    )
                )


def verify_packs(index: Index, entries: Sequence[tuple[str, IndexedPack]], log: FindingLog) -> None:
    """Hold the index against entries, each made from the pack at a path, which the findings are about.

    Each of them must be in the index with the checksum that it has; where it is the highest version, it
    should describe itself as the index does.
    """
    for path, entry in entries:
        _verify_pack(index, path, entry, log)


def _verify_pack(index: Index, path: str, entry: IndexedPack, log: FindingLog) -> None:
    def wrong(code: str, message: str, severity: Severity = Severity.ERROR) -> None:
        log.add(Finding(code, severity, message, path))

    ref, own = entry.ref, entry.highest
    pack = index.pack(ref)
    if pack is None:
        wrong("PACK_NOT_INDEXED", f"the index has no pack '{ref}': put it in with `longshore index update`")
        return
    indexed = by_version(pack).get(case_folded(own.version))
    if indexed is None:
        versions = ", ".join(each.version for each in pack.releases[:5])
        wrong(
            "VERSION_NOT_INDEXED",
            f"the index has no version {own.version} of '{ref}', but {versions}: put it in with "
            "`longshore index update`",
        )
        return
    if indexed.checksum != own.checksum:
        wrong(
            "CHECKSUM_MISMATCH",
            f"'{ref}' {own.version} is {own.checksum}, but the index has {indexed.checksum}: whoever fetches "
            "it will refuse it; give it a new version, or correct the index with --update",
        )
    if indexed is pack.highest:
        there, here = pack_value(pack), pack_value(entry)
        others = [key for key in _DESCRIPTION if there.get(key) != here.get(key)]
        if others:
            wrong(
                "ENTRY_DIFFERS",
                f"the index describes '{ref}' otherwise than its own manifest does, by {', '.join(others)}: "
                "correct it with `longshore index update --update`",
                Severity.WARNING,
            )
