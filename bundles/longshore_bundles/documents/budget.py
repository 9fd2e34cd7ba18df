"""How much the documents of one bundle may stand for together, so that all of them are read in bounded time.

A document's own limits are no bound for thousands of them, and one file may be read for many others.
"""

from __future__ import annotations

from .decoding import DocumentRefused
from .document import MAX_CHARACTERS, MAX_VALUES

MAX_BUNDLE_VALUES = 2_000_000
MAX_BUNDLE_CHARACTERS = 64 << 20


class ReadingBudget:
    """What is left of it, counted as a document's own limits are; used by one thread."""

    def __init__(self) -> None:
        self._values = MAX_BUNDLE_VALUES
        self._characters = MAX_BUNDLE_CHARACTERS

    @property
    def max_values(self) -> int:
        """How many values the next document may have."""
        return min(self._values, MAX_VALUES)

    @property
    def max_characters(self) -> int:
        """How many characters its keys and texts may have."""
        return min(self._characters, MAX_CHARACTERS)

    def begin(self, characters: int) -> None:
        """A file of so many characters is about to be read. Raises ``DocumentRefused``."""
        if self._values <= 0 or self._characters < characters:
            raise bundle_too_complex()

    def spend(self, values: int, characters: int) -> None:
        """A document was read, or given up, after so many values and characters."""
        self._values -= values
        self._characters -= characters


def bundle_too_complex(line: int | None = None) -> DocumentRefused:
    """The refusal of a document that is too much for its bundle, not for itself."""
    return DocumentRefused(
        "DOCUMENT_TOO_COMPLEX",
        f"the files of the bundle together stand for more than {MAX_BUNDLE_VALUES} values or "
        f"{MAX_BUNDLE_CHARACTERS} characters, aliases counted in full: split the bundle",
        line,
    )
