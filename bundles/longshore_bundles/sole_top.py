"""Finds the one top-level directory that is stripped: the only thing at the top, with a manifest in it.

A tree that was stripped is not stripped again: it has a manifest at its top.
"""

from __future__ import annotations

from .entry_rules import EntryKind
from .kinds import ROOT_MANIFESTS


class SoleTop:
    """Watches the paths of an archive go by."""

    def __init__(self) -> None:
        self._name = ""
        self._is_sole = True
        self._has_manifest = False

    def note(self, path: str, kind: EntryKind) -> None:
        """Take the next entry's path in."""
        top, _, rest = path.partition("/")
        if not self._name:
            self._name = top
        if top != self._name or (not rest and kind is not EntryKind.DIRECTORY):
            self._is_sole = False
        if rest in ROOT_MANIFESTS and kind in (EntryKind.FILE, EntryKind.HARD_LINK):
            self._has_manifest = True

    @property
    def candidate(self) -> str:
        """The directory that alone stands at the top so far; empty if there is more."""
        return self._name if self._is_sole else ""

    @property
    def stripped(self) -> str:
        """The directory to strip, at the end of the archive; empty if there is none."""
        return self.candidate if self._has_manifest else ""
