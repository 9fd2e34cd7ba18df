"""A document that was read: its value, and where in its text everything stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, Union

MAX_DEPTH = 50
"""How deeply lists and mappings may be nested."""
MAX_VALUES = 100_000
"""How many values a document may hold, what its aliases stand for counted each time."""

MAX_CHARACTERS = 4 << 20
"""How many characters the keys and values of a document with aliases may have, counted in the same way."""

JsonValue: TypeAlias = Union[bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]", None]

Place: TypeAlias = Union[int, "tuple[int, dict[str, Place] | list[Place]]"]
"""The line of a value, of its key where it has one, from 1; with the places of what is in it."""


def line_of(place: Place) -> int:
    """The line of a place."""
    return place if isinstance(place, int) else place[0]


def moved(place: Place, line: int) -> Place:
    """The same place, on another line."""
    return line if isinstance(place, int) else (line, place[1])


class Document:
    """A value and the file it was read from. ``value`` is shared, not copied: do not change it."""

    def __init__(self, value: JsonValue, path: str, places: Callable[[], Place]) -> None:
        self.value = value
        self.path = path
        self._find_places = places
        self._places: Place | None = None

    def line(self, pointer: Sequence[str | int] = ()) -> int | None:
        """The line (from 1) of what stands at ``pointer``: of its key in a mapping, of itself in a list.

        When it is not there, the line of the nearest thing around it that is.
        """
        place = self._all_places()
        for step in pointer:
            inner = _inner(place, step)
            if inner is None:
                break
            place = inner
        return line_of(place)

    def _all_places(self) -> Place:
        if self._places is None:
            self._places = self._find_places()
        return self._places

    def with_value(self, value: JsonValue) -> Document:
        """Another value made of this one; what it does not share has no line of its own."""
        return Document(value, self.path, self._all_places)


def _inner(place: Place, step: str | int) -> Place | None:
    if isinstance(place, int):
        return None
    places = place[1]
    if isinstance(places, dict):
        return places.get(str(step))
    return places[step] if isinstance(step, int) and 0 <= step < len(places) else None
