"""How the settings and the policy mean several names at once."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

_LONGEST: Final = 200


def _checked(value: str) -> str:
    if not value or "*" in value[:-1] or len(value) > _LONGEST:
        raise ValueError(
            f"{value[:_LONGEST]!r} is no pattern: write a name, or its beginning with a * at the end"
        )
    return value


Pattern = Annotated[str, AfterValidator(_checked)]
"""A name, or its beginning with a ``*`` at the end, as ``longshore_storage.catalogue.scopes`` matches it."""
