"""An index as text: the same values give the same bytes.

UTF-8 JSON, indented by two spaces. Known keys come in the order of the format, keys that are not known behind
them by name; what is empty is left out, except in a pack what every pack has. Packs are sorted by ref,
releases highest version first.
"""

from __future__ import annotations

import json
from typing import Any, Final

from .index import ContentItem, Index, IndexedPack, IndexedRelease, InstallSource

INDEX_FORMAT: Final = "1"


def index_text(index: Index) -> str:
    """The text of an index's file."""
    return _text(
        {
            "registry_name": index.registry_name,
            "version": INDEX_FORMAT,
            "last_updated": index.last_updated,
            "packs": [pack_value(pack) for pack in index.packs],
            **_sorted(index.more),
        }
    )


def pack_text(pack: IndexedPack) -> str:
    """The text of one entry of an index."""
    return _text(pack_value(pack))


def pack_value(pack: IndexedPack) -> dict[str, Any]:
    """One entry of an index as JSON has it."""
    return {
        "ref": pack.ref,
        "label": pack.label,
        "description": pack.description,
        "version": pack.highest.version,
        "author": pack.author,
        "license": pack.license,
        "keywords": list(pack.keywords),
        "runtime_deps": dict(pack.runtime_deps),
        "dependencies": [{"ref": each.ref, "version": each.constraint} for each in pack.dependencies],
        "install_sources": [_source(each) for each in pack.highest.install_sources],
        "contents": {kind: [_item(each) for each in items] for kind, items in pack.contents.items()},
        "releases": [_release(each, is_highest=each is pack.highest) for each in pack.releases],
        **_sorted(pack.more),
    }


def _release(release: IndexedRelease, *, is_highest: bool) -> dict[str, Any]:
    # The sources of the highest version stand in the pack itself.
    sources = [] if is_highest else [_source(each) for each in release.install_sources]
    return {
        "version": release.version,
        **_filled({"published_at": release.published_at}),
        "checksum": release.checksum,
        **({"install_sources": sources} if sources else {}),
        **_sorted(release.more),
    }


def _source(source: InstallSource) -> dict[str, Any]:
    known = {"type": source.type, "url": source.url, "ref": source.ref, "checksum": source.checksum}
    return {**_filled(known), **_sorted(source.more)}


def _item(item: ContentItem) -> dict[str, Any]:
    return {**_filled({"name": item.name, "description": item.description}), **_sorted(item.more)}


def _filled(texts: dict[str, str]) -> dict[str, str]:
    return {key: text for key, text in texts.items() if text}


def _sorted(more: Any) -> dict[str, Any]:
    return dict(sorted(more.items()))


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
