"""The folder of the person whose machine this is, which services and containers may be without."""

from __future__ import annotations

from pathlib import Path


def expanded(text: str) -> Path | None:
    """A path that may begin with ``~`` or ``~NAME``; None where nobody knows which folder that is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return None
