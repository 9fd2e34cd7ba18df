"""Who needs a pack, and in which versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Final

from longshore_bundles import Constraint
from longshore_bundles.constraints import MAX_CONSTRAINT_CHARACTERS

_ANY: Final = "*"
_MOST_ALTERNATIVES: Final = MAX_CONSTRAINT_CHARACTERS // 4


@dataclass(slots=True)
class Needed:
    """``constraints`` are what each pack that needs it demands, by its name."""

    constraints: dict[str, str] = field(default_factory=dict)

    def allows(self, version: str) -> bool:
        """Whether a version is what all of them need."""
        return all(Constraint.parse(each).allows(version) for each in self.constraints.values())

    @property
    def together(self) -> str:
        """One constraint for all; it may allow more than ``allows`` does."""
        demands = sorted(set(self.constraints.values()) - {_ANY})
        # Terms are joined by commas; of alternatives each of one pack's goes with each of another's.
        alternatives = [each.split("||") for each in demands]
        if prod(map(len, alternatives)) > _MOST_ALTERNATIVES:
            return _ANY
        joined = " || ".join(", ".join(map(str.strip, each)) for each in product(*alternatives))
        return joined if 0 < len(joined) <= MAX_CONSTRAINT_CHARACTERS else _ANY

    @property
    def by_whom(self) -> str:
        """Who needs it, with what they demand."""
        return " and ".join(f"{name} ({demand})" for name, demand in sorted(self.constraints.items()))
