"""What commands print that is none of the library's values."""

from __future__ import annotations

from dataclasses import dataclass

from longshore_client.models import PayloadFormat


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """What was asked is so already; nothing was recorded."""

    nothing_to_do: bool = True


@dataclass(frozen=True, slots=True)
class Checksum:
    """The content checksum of a path, `sha256:` before its digits; no format where it is a directory."""

    path: str
    content_sha256: str
    payload_format: PayloadFormat | None


@dataclass(frozen=True, slots=True)
class RemovedNode:
    """A node that is forgotten, and whether it was registered until now."""

    node_name: str
    was_registered: bool
