"""The events of a YAML text: from libyaml where PyYAML was built with it, else from PyYAML's own parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from .decoding import DocumentRefused

if TYPE_CHECKING:
    from yaml import Event, YAMLError

EventSource: TypeAlias = "Callable[[], Event | None]"
"""None comes behind the end of the stream."""

_MAX_PROBLEM_CHARACTERS = 200
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_ONLY_YAMLS = "\x85\u2028\u2029"
"""What ends a line for YAML, and for no editor."""


def event_source(text: str, *, use_libyaml: bool = True) -> EventSource:
    """A function that gives the text's next event whenever it is called. Use it inside ``refusals``."""
    import yaml

    parser = yaml.CSafeLoader if use_libyaml and yaml.__with_libyaml__ else yaml.SafeLoader
    next_event: EventSource = parser(text).get_event
    if text.isascii() or not any(each in text for each in _ONLY_YAMLS):
        return next_event
    return _in_lines_of_editors(next_event, _lines_of_editors(text))


def _in_lines_of_editors(next_event: EventSource, lines: list[int]) -> EventSource:
    """The same events, with other lines."""
    from yaml import Mark

    def moved() -> Event | None:
        event = next_event()
        if event is not None and event.start_mark is not None:
            event.start_mark = Mark("", 0, lines[event.start_mark.line], 0, None, 0)
        return event

    return moved


def _lines_of_editors(text: str) -> list[int]:
    """For each line that YAML counts the one that it stands in, both from 0."""
    lines = [0]
    for found in _BREAK.finditer(text):
        lines.append(lines[-1] + (found[0] not in _ONLY_YAMLS))
    # The end of the text is in a line of its own.
    return [*lines, lines[-1]]


@contextmanager
def refusals(text: str) -> Iterator[None]:
    """Raises ``DocumentRefused`` where a parser of ``text`` gives up."""
    import yaml

    try:
        yield
    except yaml.YAMLError as error:
        raise _refused(error, text) from None


def _refused(error: YAMLError, text: str) -> DocumentRefused:
    from yaml import MarkedYAMLError
    from yaml.reader import Reader

    line: int | None = None
    if isinstance(error, MarkedYAMLError):
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            lines = text.splitlines()
            # A text that ends too soon is told to be wrong behind its end.
            line = min(mark.line + 1, len(lines) + text.endswith(("\n", "\r")))
            if not text.isascii():
                line = _lines_of_editors(text)[line - 1] + 1
            if _is_indented_by_tab(lines, mark.line):
                problem = "a line is indented by a tab: use spaces"
    else:
        problem = "it holds a control character, which YAML does not allow: remove it"
        if found := Reader.NON_PRINTABLE.search(text):
            line = text.count("\n", 0, found.start()) + 1
    return DocumentRefused("YAML_INVALID", f"this is no YAML: {problem[:_MAX_PROBLEM_CHARACTERS]}", line)


def _is_indented_by_tab(lines: list[str], line_index: int) -> bool:
    if line_index >= len(lines):
        return False
    line = lines[line_index]
    return "\t" in line[: len(line) - len(line.lstrip())]
