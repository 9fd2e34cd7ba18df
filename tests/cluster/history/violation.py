"""A violation: the rule that is broken, in words, and the records that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .records import Record


@dataclass(frozen=True, slots=True)
class Violation:
    """``str`` of it is for people: a line of words, and below it the records."""

    words: str
    records: tuple[Record, ...]

    def __str__(self) -> str:
        return "\n".join([self.words, *(f"    {record}" for record in self.records)])


Rule = Callable[[Sequence[Record]], Iterator[Violation]]


def broken(words: str, *records: Record) -> Violation:
    """A violation by these records."""
    return Violation(words, records)
