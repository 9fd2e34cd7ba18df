"""How much an index may hold, so that the worst of them costs little, and says what is too much."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from longshore_bundles.findings import printable
from longshore_bundles.registry import Index, IndexedPack
from longshore_client.source_errors import SourceTooLarge

MOST_PACKS: Final = 20_000
MOST_RELEASES: Final = 2_000
MOST_PLACES: Final = 20
MOST_ITEMS: Final = 1_000
MOST_TEXT_CHARACTERS: Final = 10_000


def check_index(index: Index, shown: str) -> None:
    """Hold an index, which people know as ``shown``, against the limits. Raises ``SourceTooLarge``."""
    _check_count(index.packs, MOST_PACKS, "packs", shown)
    for pack in index.packs:
        of = f"{shown}: {pack.ref}"
        _check_count(pack.releases, MOST_RELEASES, "versions", of)
        for release in pack.releases:
            _check_count(release.install_sources, MOST_PLACES, f"sources of {release.version}", of)
        _check_counts(pack, of)
        _check_texts(pack, of)
    _check_texts((index.registry_name, index.more), shown)


def _check_counts(pack: IndexedPack, of: str) -> None:
    counted: Mapping[str, Collection[object]] = {
        "keywords": pack.keywords,
        "runtimes": pack.runtime_deps,
        "dependencies": pack.dependencies,
        **pack.contents,
    }
    for what, values in counted.items():
        _check_count(values, MOST_ITEMS, what, of)


def _check_count(values: Collection[object], most: int, what: str, of: str) -> None:
    if len(values) > most:
        raise SourceTooLarge(f"{of} has {len(values)} {printable(what[:100])}, more than {most}")


def _check_texts(value: object, of: str) -> None:
    for text in _texts(value):
        if len(text) > MOST_TEXT_CHARACTERS:
            raise SourceTooLarge(
                f"{of} has a text of {len(text)} characters, more than {MOST_TEXT_CHARACTERS}, which begins "
                f"with {printable(text[:60])!r}"
            )


def _texts(value: object) -> Iterator[str]:
    """All texts in a value, at most as deep as a document may be."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
