"""Packs on this machine as entries of an index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from longshore_bundles.kinds import BundleKind
from longshore_bundles.registry import IndexedPack, InstallSource, entry_of

from .contents import findings_of, scanned
from .errors import PayloadRefused


def entry_at(
    path: Path, install_sources: Sequence[InstallSource] = (), *, published_at: str = ""
) -> IndexedPack:
    """The entry of the pack at ``path``, a directory or an archive.

    ``published_at`` is as RFC 3339 writes times. Raises ``PayloadUnreadable``, ``PayloadChanged``, and
    ``PayloadRefused`` for what is no pack or has errors, with what was found.
    """
    found = scanned(path)
    if found.kind is BundleKind.PACK and found.accepted:
        return entry_of(found, install_sources=install_sources, published_at=published_at)
    if found.accepted:
        message = f"{path} is no pack, but a {found.kind.value}: an index has packs only, with a pack.yaml"
    else:
        message = f"{path} has no entry in an index: it would be refused"
    raise PayloadRefused(message, findings=findings_of(found.findings), total_findings=found.total_findings)
