"""How names stand in messages about workflows."""

from __future__ import annotations

from longshore_bundles.findings import printable


def quoted(name: str) -> str:
    """A name as it stands in a message."""
    return f"'{printable(name)}'"
