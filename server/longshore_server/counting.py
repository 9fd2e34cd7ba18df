"""How many of something, in words."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """``1 payload``, ``2 payloads``; ``many`` where it is not ``one`` with an s."""
    return f"{count} {noun(count, one, many)}"


def noun(count: int, one: str, many: str = "") -> str:
    """The word for so many, without the number."""
    return one if count == 1 else many or f"{one}s"


def tally(count: int, one: str, rest: str, many: str = "") -> str:
    """A line of a list of numbers: ``count`` at the right of nine places, and of what."""
    return f"{count:>9}  {noun(count, one, many)} {rest}".rstrip()
