"""An entry of an archive, as its reader hands it over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .entry_rules import EntryKind
from .errors import EntryRefused


def _no_content() -> Iterator[bytes]:
    return iter(())


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """One entry as the archive has it.

    ``name`` may hold anything (bytes that are no UTF-8 as surrogates); ``target`` is where a link or hard
    link leads. ``blocks`` reads a file's content, once; it yields exactly ``size_bytes`` or raises.
    ``problem`` says why the reader cannot make sense of it; the rest then counts for nothing.
    """

    name: str
    kind: EntryKind
    size_bytes: int = 0
    executable: bool = False
    target: str = ""
    blocks: Callable[[], Iterator[bytes]] = _no_content
    problem: EntryRefused | None = None
