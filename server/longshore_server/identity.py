"""Who this node is, for as long as it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's id, kept in its data folder, its name, environment, roles, and the number of this start."""

    node_id: str
    name: str
    environment: str
    roles: tuple[str, ...]
    boot_number: int
