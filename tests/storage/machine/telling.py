"""Steps tell themselves as they are written in code, so that an example is read, and pasted, as it is."""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import StrEnum


class Told:
    """A dataclass whose text leaves out what has its default."""

    def __repr__(self) -> str:
        told = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING:
                told.append(repr(value))
            elif value != field.default:
                told.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(told)})"


class ToldEnum(StrEnum):
    """Members tell their names."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"
