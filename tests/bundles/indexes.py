"""Indexes for tests, as JSON has them."""

from __future__ import annotations

import json
from typing import Any

from longshore_bundles import Finding, FindingLog
from longshore_bundles.registry import Index, read_index


def checksum(digit: str) -> str:
    return f"sha256:{digit * 64}"


def pack(ref: str = "netops", version: str = "1.4.0", digit: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "ref": ref,
        "label": ref.title(),
        "description": f"What {ref} does",
        "version": version,
        "releases": [{"version": version, "checksum": checksum(digit)}],
        **more,
    }


def document(*packs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "registry_name": "ops",
        "version": "1",
        "last_updated": "2026-11-21T00:00:00Z",
        "packs": list(packs),
        **more,
    }


def data(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def read(value: Any) -> Index:
    log = FindingLog()
    index = read_index(data(value), "index.json", log)
    assert index is not None, log.findings()
    return index


def findings(value: Any) -> list[Finding]:
    """What is found in an index, given as JSON has it or as bytes; that it is none if there is an error."""
    log = FindingLog()
    index = read_index(value if isinstance(value, bytes) else data(value), "index.json", log)
    assert (index is None) == log.has_errors
    return list(log.findings())
