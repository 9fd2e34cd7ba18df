"""From a pack that was looked through to its entry in an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from longshore_bundles.bundle_scan import BundleScan
from longshore_bundles.packs import PackItem, PackManifest
from longshore_bundles.workflows import Workflow

from .index import ARCHIVE, ContentItem, IndexedPack, IndexedRelease, InstallSource


def entry_of(
    scan: BundleScan, *, install_sources: Sequence[InstallSource] = (), published_at: str = ""
) -> IndexedPack:
    """The entry of a pack in its one version. Raises ``ValueError`` for what is no accepted pack.

    ``install_sources`` that are archives get its checksum. ``published_at`` is as RFC 3339 writes times.
    """
    pack = scan.manifest
    if not isinstance(pack, PackManifest) or not scan.accepted:
        raise ValueError("only a pack without errors has an entry in an index")
    checksum = f"sha256:{scan.content_sha256}"
    sources = tuple(
        replace(each, checksum=checksum) if each.type == ARCHIVE else each for each in install_sources
    )
    release = IndexedRelease(pack.version, checksum, published_at, sources)
    return IndexedPack(
        ref=pack.name,
        label=pack.label,
        description=pack.description,
        author=pack.author,
        license=pack.license,
        keywords=pack.keywords,
        runtime_deps=pack.runtime_deps,
        dependencies=pack.dependencies,
        contents={
            "actions": _items(scan.actions),
            "sensors": _items(scan.sensors),
            "workflows": _items(scan.workflows),
        },
        releases=(release,),
    )


def _items(items: Sequence[PackItem | Workflow]) -> tuple[ContentItem, ...]:
    return tuple(
        ContentItem(each.name, each.description) for each in sorted(items, key=lambda each: each.name)
    )
