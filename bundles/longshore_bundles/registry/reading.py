"""From an index's bytes to its values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from longshore_bundles.dependencies import ANY_VERSION, Dependency
from longshore_bundles.documents import read_json
from longshore_bundles.findings import FindingLog
from longshore_bundles.schemas import INDEX, check_shape
from longshore_bundles.versions import case_folded

from .index import ContentItem, Index, IndexedPack, IndexedRelease, InstallSource, each_once, highest_first
from .rules import check_claims, source_checksum

MAX_INDEX_BYTES: Final = 32 << 20
"""How large an index may be: some ten thousand packs."""


def read_index(data: bytes, path: str, log: FindingLog) -> Index | None:
    """Read an index; ``path`` is its file's or its address, for the findings.

    None when it is no index, or contradicts itself: ``log`` says why. Keys that are not known are warned
    about and kept. Never raises for what ``data`` holds.
    """
    found = FindingLog()
    index = _read(data, path, found)
    log.add_all(found)
    return None if found.has_errors else index


def _read(data: bytes, path: str, log: FindingLog) -> Index | None:
    document = read_json(data, path, log, max_bytes=MAX_INDEX_BYTES)
    if document is None:
        return None
    check_shape(document, INDEX, log)
    if log.has_errors:
        return None
    value = cast("dict[str, Any]", document.value)
    check_claims(document, value, log)
    return None if log.has_errors else _index(value)


def _index(value: dict[str, Any]) -> Index:
    return Index(
        registry_name=value["registry_name"],
        last_updated=value["last_updated"],
        packs=tuple(sorted(map(_pack, value["packs"]), key=lambda pack: pack.ref)),
        more=_more(value, "registry_name", "version", "last_updated", "packs"),
    )


_PACK_KEYS: Final = (
    *("ref", "label", "description", "version", "author", "license", "keywords", "runtime_deps"),
    *("dependencies", "install_sources", "contents", "releases"),
)


def _pack(value: dict[str, Any]) -> IndexedPack:
    return IndexedPack(
        ref=value["ref"],
        label=value["label"],
        description=value["description"],
        author=value.get("author", ""),
        license=value.get("license", ""),
        keywords=tuple(value.get("keywords", ())),
        runtime_deps=value.get("runtime_deps", {}),
        dependencies=tuple(map(_dependency, value.get("dependencies", ()))),
        contents={
            kind: tuple(
                ContentItem(item["name"], item.get("description", ""), _more(item, "name", "description"))
                for item in items
            )
            for kind, items in value.get("contents", {}).items()
        },
        releases=_releases(value),
        more=_more(value, *_PACK_KEYS),
    )


def _releases(pack: dict[str, Any]) -> tuple[IndexedRelease, ...]:
    """A pack's releases, with the one that it is described as, whose sources stand beside them."""
    described = pack["version"]
    releases = {case_folded(each["version"]): each for each in pack.get("releases", ())}
    own = releases.setdefault(
        case_folded(described), {"version": described, "checksum": source_checksum(pack)}
    )
    sources = [*pack.get("install_sources", ()), *own.get("install_sources", ())]
    releases[case_folded(described)] = {**own, "install_sources": sources}
    return highest_first(
        IndexedRelease(
            each["version"],
            each["checksum"],
            each.get("published_at", ""),
            _sources(each.get("install_sources", ())),
            _more(each, "version", "checksum", "published_at", "install_sources"),
        )
        for each in releases.values()
    )


def _sources(values: Iterable[dict[str, Any]]) -> tuple[InstallSource, ...]:
    return each_once(
        InstallSource(
            each["type"],
            each["url"],
            each.get("ref", ""),
            each.get("checksum", ""),
            _more(each, "type", "url", "ref", "checksum"),
        )
        for each in values
    )


def _dependency(value: str | dict[str, Any]) -> Dependency:
    if isinstance(value, str):
        return Dependency(value)
    return Dependency(value["ref"], value.get("version", ANY_VERSION))


def _more(value: dict[str, Any], *known: str) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key not in known}
