"""Values as people read them: sizes, times, ids; and text from elsewhere made safe for a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

UNPRINTED: Final = "\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""DEL, C1 controls, line and paragraph separators, what reorders or hides text: as ranges of a pattern."""

_UNSAFE: Final = re.compile(f"[\x00-\x1f{UNPRINTED}]+")
_SIZE_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")
_SHORT_ID_CHARACTERS: Final = 8


def safe(text: str) -> str:
    """Text on one line without control characters; whole escape sequences shrink to a space."""
    return _UNSAFE.sub(" ", text).strip()


def size(size_bytes: float) -> str:
    """A size in decimal units, like 45.2 MB."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} B"
    value = float(size_bytes)
    for unit in _SIZE_UNITS:
        value /= 1000
        # 999.95 would be shown as 1000.0.
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value:.1f} {_SIZE_UNITS[-1]}"


def share(part: int, whole: int) -> str:
    """A part of a whole, like 98.4 %; only all of it is 100 %."""
    if whole <= 0 or part >= whole:
        return "100 %" if whole > 0 else "0 %"
    return f"{min(99.9, 100 * part / whole):.1f} %"


def duration(seconds: float) -> str:
    """A span of time, like 2.1 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def span(time: timedelta) -> str:
    """A span that somebody has set, to the second, like 90 s as 1 min 30 s."""
    minutes, seconds = divmod(round(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "days" if days > 1 else "day"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def countdown(seconds: float) -> str:
    """What is left of a time, like 4:32 or 1:04:32; 0:00 when it is over."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(time: datetime | None, now: datetime | None = None) -> str:
    """How long ago, like 3 min ago; empty for no time."""
    if time is None:
        return ""
    seconds = int(((now or datetime.now(UTC)) - time).total_seconds())
    if seconds < 60:
        return "now" if seconds < 5 else f"{seconds} s ago"
    for unit, length in (("min", 3600), ("h", 48 * 3600)):
        if seconds < length:
            return f"{seconds // (60 if unit == 'min' else 3600)} {unit} ago"
    return f"{seconds // 86400} days ago"


def moment(time: datetime | None) -> str:
    """A time in the local zone, to the second; empty for no time."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if time else ""


def stamp(time: datetime | None) -> str:
    """A time in the local zone without its name, for tables; empty for no time."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def clock(time: datetime | None) -> str:
    """The time of day in the local zone."""
    return time.astimezone().strftime("%H:%M:%S") if time else "--:--:--"


def short_id(deployment_id: str) -> str:
    """The beginning of an id, enough to tell deployments apart."""
    return safe(deployment_id[:_SHORT_ID_CHARACTERS])


def words(value: str) -> str:
    """An enum's value as words: rolling_out becomes rolling out."""
    return value.replace("_", " ")


def labels_words(labels: Mapping[str, str]) -> str:
    """Labels with their values, by key."""
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, like 1 node, 3 nodes; ``plural`` where that is not the noun with an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def entries(number: int) -> str:
    """How many files, directories and links a payload has, as servers tell it too."""
    return count(number, "entry", "entries")


def cell_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def shortened(text: str, width: int) -> str:
    """The text in at most ``width`` columns, with an ellipsis where it was cut."""
    if cell_width(text) <= width:
        return text
    return f"{_fitting(text, width - 1) if width > 1 else ''}…"


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` columns, broken between words where that is possible."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_width(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while cell_width(line) > width:
            piece = _fitting(line, width)
            lines.append(piece)
            line = line[len(piece) :]
    return [*lines, line] if line or not lines else lines


def _fitting(text: str, width: int) -> str:
    """The beginning of a text that takes at most ``width`` columns, one character at least."""
    taken = 0
    for number, character in enumerate(text):
        taken += cell_width(character)
        if taken > width and number:
            return text[:number]
    return text
