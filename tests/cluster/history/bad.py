"""Bad histories: a good one with something in it that breaks a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .made_up import GOOD
from .records import Record
from .violation import Rule


@dataclass(frozen=True)
class Bad:
    """A history that breaks ``rule``; it tells of it by ``told``."""

    rule: Rule
    records: Sequence[Record]
    told: tuple[Record, ...]
    words: str


def also(rule: Rule, words: str, *added: Record, beside: Sequence[Record] = ()) -> Bad:
    """The good history and more."""
    return Bad(rule, (*GOOD, *added), (*beside, *added), words)


def in_place_of(
    rule: Rule, words: str, was: Record, now: Record, *beside: Record, history: Sequence[Record] = GOOD
) -> Bad:
    """A good history with one other record in it."""
    return Bad(rule, [now if record == was else record for record in history], (*beside, now), words)


def without(rule: Rule, words: str, missing: Record, *told: Record, history: Sequence[Record] = GOOD) -> Bad:
    """A good history but for one record."""
    return Bad(rule, [record for record in history if record != missing], told, words)
