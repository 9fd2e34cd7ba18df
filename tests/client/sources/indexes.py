"""Indexes as documents, with one pack."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def index_of(
    versions: Mapping[str, tuple[str, Sequence[Mapping[str, str]]]], ref: str = "netops"
) -> dict[str, Any]:
    """An index with one pack: of each version the checksum and the sources."""
    releases = [
        {"version": version, "checksum": checksum, "install_sources": list(sources)}
        for version, (checksum, sources) in versions.items()
    ]
    pack = {
        "ref": ref,
        "label": "Net Ops",
        "description": "Network tools",
        "version": next(iter(versions)),
        "releases": releases,
    }
    return {
        "registry_name": "ops",
        "version": "1",
        "last_updated": "2026-01-01T00:00:00Z",
        "packs": [pack],
    }


def archive_at(url: str) -> dict[str, str]:
    return {"type": "archive", "url": url}


def written(path: Path, index: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(index))
    return str(path)
