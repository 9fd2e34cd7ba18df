"""What locks, signals and members may be called, the same for every adapter."""

from __future__ import annotations


def checked_path(name: str, what: str) -> str:
    """``name`` when it is one or more non-empty parts joined by ``/``; raises ``ValueError`` otherwise."""
    if not all(name.split("/")):
        raise ValueError(f"{what} {name!r} must be non-empty parts joined by '/'")
    return name


def checked_part(name: str, what: str) -> str:
    """``name`` when it is not empty and holds no ``/``; raises ``ValueError`` otherwise."""
    if not name or "/" in name:
        raise ValueError(f"{what} {name!r} must not be empty nor contain '/'")
    return name
