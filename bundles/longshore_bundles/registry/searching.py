"""Finding packs in an index by words."""

from __future__ import annotations

from collections.abc import Iterable

from .index import Index, IndexedPack

_NAMED = 3
_ABOUT = 2
_INSIDE = 1


def search_index(index: Index, words: Iterable[str]) -> list[IndexedPack]:
    """The packs in which every word occurs, whatever its case, the best matches first, then by ref.

    Looked at are ref, label, keywords, description, author, and the names of what is in the pack. No words
    find all packs.
    """
    wanted = [word.casefold() for word in words]
    found = [(-rank, pack.ref, pack) for pack in index.packs if (rank := _rank(pack, wanted)) is not None]
    return [pack for *_, pack in sorted(found, key=lambda each: each[:2])]


def _rank(pack: IndexedPack, words: Iterable[str]) -> int | None:
    """How well the words fit a pack; None where one does not occur in it."""
    items = [item.name for items in pack.contents.values() for item in items]
    texts = (
        (_NAMED, _folded(pack.ref, pack.label)),
        (_ABOUT, _folded(*pack.keywords, pack.description)),
        (_INSIDE, _folded(pack.author, *items)),
    )
    total = 0
    for word in words:
        rank = next((rank for rank, text in texts if word in text), None)
        if rank is None:
            return None
        total += rank
    return total


def _folded(*texts: str) -> str:
    return "\n".join(texts).casefold()
