"""What stands on the command line, held against what no command can mean by it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import click


def refuse_empty(context: click.Context) -> None:
    """Raises ``click.BadParameter`` for what is given and empty, as an unset variable of a script is.

    What would be taken in its place may be another server, environment or project. Where the default is
    empty, nothing would.
    """
    for each, parameter, value in _given(context):
        if value == "" and parameter.default != "":
            raise click.BadParameter("it is empty: give it a value, or leave it out", each, parameter)


def refuse_undecodable(context: click.Context) -> None:
    """Raises ``click.BadParameter`` for what is not UTF-8, and no path: those are whatever bytes they are."""
    for each, parameter, value in _given(context):
        if isinstance(value, str) and not is_utf8(value) and not isinstance(parameter.type, click.Path):
            raise click.BadParameter(not_utf8_words(value), each, parameter)


def is_utf8(argument: str) -> bool:
    """Whether an argument was UTF-8 before Python made text of it."""
    return argument.isascii() or not any("\udc80" <= character <= "\udcff" for character in argument)


def not_utf8_words(argument: str) -> str:
    """What is said of an argument that is not UTF-8."""
    shown = os.fsencode(argument).decode("utf-8", "backslashreplace")
    return f"'{shown}' is not UTF-8: write it in UTF-8, or choose another name"


def _given(context: click.Context) -> Iterator[tuple[click.Context, click.Parameter, object]]:
    """Each value of each parameter, also of those before the command's name."""
    for each in (context.find_root(), context):
        for parameter in each.command.params:
            value = each.params.get(parameter.name or "")
            values: Sequence[object] = value if isinstance(value, tuple) else (value,)
            for one in values:
                yield each, parameter, one
