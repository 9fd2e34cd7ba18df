"""Moments, spans and sizes as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import click

from .numbers import LARGEST_SIZE, at_most

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGTP]?)B?")
# What a google.protobuf.Duration holds: 10,000 years.
_LONGEST: Final = timedelta(seconds=315_576_000_000)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}

_Value = TypeVar("_Value")


class Written(click.ParamType[_Value], Generic[_Value]):
    """A value that people write in a form of its own; ``like`` shows the form to who writes another."""

    def __init__(self, name: str, parsed: Callable[[str], _Value], like: str) -> None:
        self.name = name
        self._parsed = parsed
        self._like = like

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Value:
        """The value; fails the command for a text that has not the form."""
        try:
            return self._parsed(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not like {self._like}", param, ctx)


class Unless(click.ParamType[Any]):
    """What another type takes, or one of some words, which stand for themselves."""

    def __init__(self, inner: click.ParamType[Any], *words: str) -> None:
        self.name = "|".join((inner.name, *words))
        self._inner = inner
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word, or what the other type makes of it."""
        return value if value in self._words else self._inner.convert(value, param, ctx)


def span_of(text: str) -> timedelta:
    """A span of time; raises ``ValueError`` for what is none, ``click.BadParameter`` where it is too long."""
    if span := _SPAN.fullmatch(text):
        length = timedelta(**{_UNITS[span[2]]: float(span[1])})
        if length > _LONGEST:
            raise click.BadParameter(f"{text} is more than {_LONGEST.days}d")
        return length
    raise ValueError(text)


def _moment(text: str) -> datetime:
    if _SPAN.fullmatch(text):
        return datetime.now(UTC) - span_of(text)
    # Of the local zone, where it names none.
    return datetime.fromisoformat(text).astimezone()


def _size_bytes(text: str) -> int:
    if size := _SIZE.fullmatch(text):
        return at_most(int(float(size[1]) * 1000.0 ** _POWERS[size[2].lower()]), LARGEST_SIZE)
    raise ValueError(text)


MOMENT: Final = Written("time", _moment, "2026-01-31T14:00, or 2h for two hours ago")
SPAN: Final = Written("span", span_of, "12h or 30d")
SIZE: Final = Written("size", _size_bytes, "500MB or 20GB")
