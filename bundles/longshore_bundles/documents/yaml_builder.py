"""Makes values out of YAML's events, without recursion and in bounded memory.

Aliases are allowed as long as what they stand for, counted each time, stays within ``MAX_VALUES``,
``MAX_CHARACTERS`` and ``MAX_DEPTH``: then nothing that walks or writes the value later can be blown up by
them. Tags make no objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from longshore_bundles.findings import Finding, FindingLog, Severity, printable

from .budget import ReadingBudget, bundle_too_complex
from .decoding import DocumentRefused, writable
from .document import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, JsonValue, Place, line_of, moved
from .yaml_events import EventSource
from .yaml_scalars import plain_value, tagged_value

if TYPE_CHECKING:
    from yaml import Event, ScalarEvent

_MERGE = "<<"
_COLLECTION_TAGS = (None, "!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


class _Built(NamedTuple):
    """A finished value; ``size`` is how many values it holds, ``characters`` how long its keys and texts are.

    ``height`` is how deep it goes.
    """

    value: JsonValue
    place: Place
    size: int
    characters: int
    height: int


@dataclass(slots=True)
class _OpenList:
    """A list that has begun and not ended."""

    line: int
    anchor: str | None
    count_before: int
    characters_before: int
    height: int = 1
    value: list[JsonValue] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)


@dataclass(slots=True)
class _OpenMapping:
    """A mapping that has begun and not ended. ``key`` waits for its value; ``merges`` come in at the end."""

    line: int
    anchor: str | None
    count_before: int
    characters_before: int
    height: int = 1
    value: dict[str, JsonValue] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    key: str | None = None
    key_line: int = 0
    is_merge: bool = False
    merges: list[tuple[dict[str, JsonValue], dict[str, Place]]] | None = None


class TreeBuilder:
    """Builds the one document of a stream of events; call ``build`` once.

    ``count`` and ``characters`` are how many values, and how many characters in keys and texts, there are.
    """

    def __init__(self, path: str, log: FindingLog, budget: ReadingBudget) -> None:
        self._path = path
        self._log = log
        self._budget = budget
        self._max_values = budget.max_values
        self._stack: list[_OpenList | _OpenMapping] = []
        self._top: _OpenList | _OpenMapping | None = None
        self._anchors: dict[str, _Built] = {}
        self._root: _Built | None = None
        self.count = 0
        self.characters = 0

    def build(self, next_event: EventSource) -> tuple[JsonValue, Place]:
        """The document's value and its places. Raises ``DocumentRefused``, and what ``next_event`` raises."""
        from yaml import (
            AliasEvent,
            CollectionEndEvent,
            DocumentStartEvent,
            MappingStartEvent,
            ScalarEvent,
            SequenceStartEvent,
            StreamEndEvent,
        )

        while True:
            event = next_event()
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, MappingStartEvent):
                opened = _OpenMapping(_line(event), event.anchor, self.count, self.characters)
                self._begin(opened, event.tag)
            elif isinstance(event, CollectionEndEvent):
                self._end()
            elif isinstance(event, SequenceStartEvent):
                self._begin(_OpenList(_line(event), event.anchor, self.count, self.characters), event.tag)
            elif isinstance(event, AliasEvent):
                self._alias(event.anchor, _line(event))
            elif isinstance(event, DocumentStartEvent) and self._root is not None:
                raise DocumentRefused(
                    "DOCUMENT_NOT_SINGLE", "a second document begins here: keep one in a file", _line(event)
                )
            elif isinstance(event, StreamEndEvent):
                break
        if self._root is None:
            raise DocumentRefused("DOCUMENT_EMPTY", "the file holds nothing: write it, or remove it")
        return self._root.value, self._root.place

    def _scalar(self, event: ScalarEvent) -> None:
        """A key or a value. Most of the time goes by here."""
        top = self._top
        text = event.value
        is_plain = event.implicit[0] and event.tag is None
        self.characters += len(text)
        if type(top) is _OpenMapping:
            key = top.key
            if key is None:
                line = _line(event)
                # Only between double quotes can an escape bring in what the reader has not refused.
                top.key = writable(text, line) if event.style == '"' else text
                top.key_line = line
                top.is_merge = is_plain and text == _MERGE
                return
            if is_plain and event.anchor is None and key not in top.value and not top.is_merge:
                self._count_values(1, top.key_line)
                top.value[key] = plain_value(text)
                top.places[key] = top.key_line
                top.key = None
                return
        line = _line(event)
        value = plain_value(text) if is_plain else tagged_value(text, event.tag, line)
        self._add(value, line, event.anchor, characters=len(text))

    def _wants_key(self) -> bool:
        return isinstance(self._top, _OpenMapping) and self._top.key is None

    def _begin(self, opened: _OpenList | _OpenMapping, tag: str | None) -> None:
        if self._wants_key():
            raise _unsupported("a key is a list or a mapping: write text", opened.line)
        if tag not in _COLLECTION_TAGS:
            shown = printable(str(tag))
            raise _unsupported(f"the tag {shown!r} makes no value that JSON has: remove it", opened.line)
        if len(self._stack) >= MAX_DEPTH:
            raise _too_deep(opened.line)
        self._stack.append(opened)
        self._top = opened

    def _end(self) -> None:
        done = self._stack.pop()
        self._top = self._stack[-1] if self._stack else None
        if isinstance(done, _OpenMapping) and done.merges:
            _merge(done, done.merges)
        size = self.count - done.count_before + 1
        # What is in it was counted when it came.
        self.count -= size - 1
        characters = self.characters - done.characters_before
        self._add(done.value, (done.line, done.places), done.anchor, size, characters, done.height)

    def _alias(self, name: str | None, line: int) -> None:
        built = self._anchors.get(name or "")
        if built is None:
            shown = printable(name or "")
            raise _unsupported(f"the alias {shown!r} names nothing that ended before it", line)
        if self._wants_key():
            raise _unsupported("a key is an alias: write its text", line)
        if len(self._stack) + built.height > MAX_DEPTH:
            raise _too_deep(line)
        self.characters += built.characters
        # Without aliases a document is as long as its file at most, which has a limit of its own.
        if self.characters > self._budget.max_characters:
            raise self._too_complex(f"{MAX_CHARACTERS} characters", self.characters > MAX_CHARACTERS, line)
        self._add(built.value, moved(built.place, line), None, built.size, built.characters, built.height)

    def _add(
        self,
        value: JsonValue,
        place: Place,
        anchor: str | None,
        size: int = 1,
        characters: int = 0,
        height: int = 0,
    ) -> None:
        """Put a finished value where it belongs."""
        self._count_values(size, line_of(place))
        top = self._top
        if anchor is not None or top is None:
            built = _Built(value, place, size, characters, height)
            if anchor is not None:
                self._anchors[anchor] = built
            if top is None:
                self._root = built
                return
        if height >= top.height:
            top.height = height + 1
        if isinstance(top, _OpenList):
            top.value.append(value)
            top.places.append(place)
        else:
            self._put(top, value, place)

    def _count_values(self, size: int, line: int) -> None:
        self.count += size
        if self.count > self._max_values:
            raise self._too_complex(f"{MAX_VALUES} values", self.count > MAX_VALUES, line)

    def _too_complex(self, limit: str, is_own_limit: bool, line: int) -> DocumentRefused:
        if not is_own_limit:
            return bundle_too_complex(line)
        return DocumentRefused(
            "DOCUMENT_TOO_COMPLEX",
            f"the file stands for more than {limit}, its aliases counted in full: split it",
            line,
        )

    def _put(self, top: _OpenMapping, value: JsonValue, place: Place) -> None:
        """Into a mapping, behind its key."""
        key, line, top.key = top.key, top.key_line, None
        assert key is not None
        if top.is_merge:
            if top.merges is None:
                top.merges = []
            top.merges.extend(_mergeable(value, place, line))
        elif key in top.value:
            first = line_of(top.places[key])
            message = f"the key {printable(key)!r} stands in line {first} already: keep one of the two"
            self._log.add(Finding("KEY_DUPLICATE", Severity.ERROR, message, self._path, line))
        else:
            top.value[key] = value
            top.places[key] = line if isinstance(place, int) else (line, place[1])


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark is not None else 0


def _merge(mapping: _OpenMapping, merges: Sequence[tuple[dict[str, JsonValue], dict[str, Place]]]) -> None:
    """Bring in what its merge keys stand for, in time linear in that; what is stronger overwrites."""
    value: dict[str, JsonValue] = {}
    places: dict[str, Place] = {}
    for values, at in [*reversed(merges), (mapping.value, mapping.places)]:
        value.update(values)
        places.update(at)
    mapping.value, mapping.places = value, places


def _mergeable(
    value: JsonValue, place: Place, line: int
) -> list[tuple[dict[str, JsonValue], dict[str, Place]]]:
    """The mappings that a merge key ``<<`` brings in, the strongest first."""
    inner = place[1] if isinstance(place, tuple) else None
    if isinstance(value, dict) and isinstance(inner, dict):
        return [(value, inner)]
    if isinstance(value, list) and isinstance(inner, list) and all(isinstance(each, dict) for each in value):
        return [found for each, at in zip(value, inner, strict=True) for found in _mergeable(each, at, line)]
    raise _unsupported("'<<' can only bring in mappings", line)


def _unsupported(message: str, line: int) -> DocumentRefused:
    return DocumentRefused("YAML_UNSUPPORTED", message, line)


def _too_deep(line: int) -> DocumentRefused:
    return DocumentRefused(
        "DOCUMENT_TOO_DEEP", f"lists and mappings are nested more than {MAX_DEPTH} deep: flatten them", line
    )
