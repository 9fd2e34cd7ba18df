"""Constraints on versions, such as ``^1.4`` or ``>=1.2, <2 || 3.0.0-rc.1``, and what they allow.

A constraint is alternatives with ``||`` between them; an alternative is terms with commas between them, all
of which must hold. A term is a version behind one of ``>= <= > < = != ^ ~``, or behind none: then it is
meant exactly. A version may be cut short (``1``, ``1.4``) or end in wildcards (``1.*``); then it stands for
all that begin so. The meaning is that of npm's ranges, with ``!=`` besides:

- ``^1.2.3`` is ``>=1.2.3, <2.0.0``, ``^0.2.3`` ends at ``0.3.0``, ``^0.0.3`` at ``0.0.4``;
  ``~1.2.3`` ends at ``1.3.0``.
- A prerelease is allowed only where its alternative asks for prereleases of the same ``MAJOR.MINOR.PATCH``:
  ``>=1.2.3-rc.1`` allows ``1.2.3-rc.2`` and ``1.3.0``, not ``1.3.0-rc.1``. ``!=`` asks for none.

Terms are put into plain comparisons here; the library ``semantic_version`` compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from .errors import InvalidConstraint
from .versions import check_version

if TYPE_CHECKING:
    from semantic_version import SimpleSpec, Version  # type: ignore[import-untyped]

MAX_CONSTRAINT_CHARACTERS: Final = 500

_NUMBER = r"(?:\*|[xX]|0|[1-9][0-9]*)"
_TERM: Final = re.compile(
    rf"(?P<operator>>=|<=|!=|[><=^~]|)\s*(?P<numbers>{_NUMBER}(?:\.{_NUMBER}){{0,2}})"
    r"(?:-(?P<prerelease>[0-9A-Za-z.-]+))?"
)
_WILDCARDS: Final = ("*", "x", "X")
_PARTS: Final = 3
_SHOWN_CHARACTERS: Final = 60

_Core = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Alternative:
    """Of every term one comparison must hold; ``asked`` are the versions whose prereleases may match."""

    terms: tuple[tuple[SimpleSpec, ...], ...]
    asked: frozenset[_Core]

    def allows(self, version: Version) -> bool:
        if version.prerelease and (version.major, version.minor, version.patch) not in self.asked:
            return False
        return all(any(spec.match(version) for spec in term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Constraint:
    """Which versions are allowed; ``text`` is how it was written. Made by ``Constraint.parse``."""

    text: str
    _alternatives: tuple[_Alternative, ...]

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a constraint. Raises ``InvalidConstraint``, which says what to write."""
        if len(text) > MAX_CONSTRAINT_CHARACTERS:
            raise InvalidConstraint(
                "CONSTRAINT_INVALID",
                f"the constraint {text[:_SHOWN_CHARACTERS]!r}… has more than {MAX_CONSTRAINT_CHARACTERS} "
                "characters: shorten it",
            )
        return cls(text, _alternatives(text))

    def allows(self, version: str) -> bool:
        """Whether a version satisfies it. Raises ``InvalidVersion`` for what is no version."""
        return self._allows(_version(version))

    def highest(self, versions: Iterable[str]) -> str | None:
        """The highest allowed of ``versions``, None where none is. Raises ``InvalidVersion``."""
        allowed = (version for version in map(_version, versions) if self._allows(version))
        found = max(allowed, default=None)
        return None if found is None else str(found)

    def _allows(self, version: Version) -> bool:
        return any(alternative.allows(version) for alternative in self._alternatives)


def check_constraint(text: str) -> str:
    """Return ``text`` if it is a constraint. Raises ``InvalidConstraint``."""
    return Constraint.parse(text).text


def highest(versions: Iterable[str], constraint: str) -> str | None:
    """The highest of ``versions`` that a constraint allows, or None.

    Raises ``InvalidConstraint`` and ``InvalidVersion``.
    """
    return Constraint.parse(constraint).highest(versions)


# A manifest asks for the same again and again; what is remembered may be some 100 KiB each.
@lru_cache(maxsize=64)
def _alternatives(text: str) -> tuple[_Alternative, ...]:
    return tuple(_alternative(each, text) for each in text.split("||"))


def _alternative(text: str, whole: str) -> _Alternative:
    terms = []
    asked = set()
    for written in text.split(","):
        try:
            operator, numbers, prerelease = _parsed(written.strip())
            terms.append(tuple(_spec(each) for each in _comparisons(operator, numbers, prerelease)))
        except ValueError as error:
            raise _invalid(written.strip(), whole.strip()) from error
        if prerelease and operator != "!=":
            asked.add(numbers)
    return _Alternative(tuple(terms), frozenset(asked))


def _parsed(term: str) -> tuple[str, _Core, str]:
    """A term's operator, its numbers before the first wildcard, its prerelease. Raises ``ValueError``."""
    found = _TERM.fullmatch(term)
    if found is None:
        raise ValueError("it is not written as a term is")
    operator, prerelease = found["operator"], found["prerelease"] or ""
    parts = found["numbers"].split(".")
    known = next((place for place, part in enumerate(parts) if part in _WILDCARDS), len(parts))
    if any(part not in _WILDCARDS for part in parts[known:]):
        raise ValueError("a number follows a wildcard")
    if prerelease and known < _PARTS:
        raise ValueError("a prerelease follows a version that is cut short")
    if known == 0 and operator in ("<", ">", "!="):
        raise ValueError("nothing lies beside any version")
    return operator, tuple(int(part) for part in parts[:known]), prerelease


def _comparisons(operator: str, numbers: _Core, prerelease: str) -> tuple[str, ...]:
    """A term as ``SimpleSpec`` writes it: one or the other of them must hold.

    A ``-`` at a version's end tells the library to compare prereleases as well; ``-0`` is the lowest one.
    """
    floor = _dotted(numbers) + (f"-{prerelease}" if prerelease else "")
    if not numbers:
        return (">=0.0.0-0",)
    if operator in ("^", "~") or len(numbers) < _PARTS:
        return _range(operator, numbers, floor)
    match operator:
        case "<" | "!=":
            return (f"{operator}{floor}" + ("" if prerelease else "-"),)
        case "" | "=":
            return (f"=={floor}",)
        case _:
            return (f"{operator}{floor}",)


def _range(operator: str, numbers: _Core, floor: str) -> tuple[str, ...]:
    """A term that stands for a range, which begins at ``floor``, or for what lies on one side of it."""
    last = len(numbers) - 1
    if operator == "^":
        last = next((place for place, number in enumerate(numbers) if number), last)
    elif operator == "~":
        last = min(last, 1)
    ceiling = _dotted((*numbers[:last], numbers[last] + 1))
    match operator:
        case ">=":
            return (f">={floor}",)
        case ">":
            return (f">={ceiling}",)
        case "<":
            return (f"<{floor}-0",)
        case "<=":
            return (f"<{ceiling}-0",)
        case "!=":
            return (f"<{floor}-0", f">={ceiling}-0")
        case _:
            return (f">={floor},<{ceiling}-0",)


def _dotted(numbers: _Core) -> str:
    return ".".join(str(number) for number in (*numbers, 0, 0, 0)[:_PARTS])


def _spec(text: str) -> SimpleSpec:
    # Imported here: that takes longer than most commands, few of which meet a constraint.
    from semantic_version import SimpleSpec

    return SimpleSpec(text)


def _version(text: str) -> Version:
    from semantic_version import Version

    return Version(check_version(text))


def _invalid(term: str, whole: str) -> InvalidConstraint:
    shown = repr(term[:_SHOWN_CHARACTERS])
    if term != whole:
        shown += f" in {whole[:_SHOWN_CHARACTERS]!r}"
    return InvalidConstraint(
        "CONSTRAINT_INVALID",
        f"{shown} is no constraint on versions: write a version such as 1.4.0, or one behind >=, <=, >, <, "
        "=, !=, ^ or ~, such as '^1.4' or '>=1.2, <2'; a comma means and, || means or, * any version",
    )
