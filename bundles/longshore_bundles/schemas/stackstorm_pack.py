"""The shape of what only StackStorm's spelling of ``pack.yaml`` has. What is empty there says nothing."""

from __future__ import annotations

from .vocabulary import ADDRESS, DIALECT, TEXT, Schema

MAX_PYTHON_VERSIONS = 20

STACKSTORM_PACK: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/stackstorm-pack.json",
    "title": "StackStorm pack",
    "type": "object",
    "properties": {
        "stackstorm_version": {"type": ["string", "null"]},
        "python_versions": {
            "type": ["array", "null"],
            # A number with a point does not tell 3.1 from 3.10.
            "items": {"type": ["string", "integer"]},
            "maxItems": MAX_PYTHON_VERSIONS,
        },
        "contributors": {"type": ["array", "null"], "items": TEXT},
        "system": {"type": ["object", "null"]},
    },
}
