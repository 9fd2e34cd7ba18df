"""The shape of an action's or a sensor's metadata: of StackStorm's many keys those that are read."""

from __future__ import annotations

from .vocabulary import ADDRESS, DIALECT, Schema

PACK_ITEM: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/pack-item.json",
    "title": "Metadata of an action or a sensor",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "Its name in the pack."},
        "class_name": {
            "type": "string",
            "minLength": 1,
            "description": "A sensor's class.",
        },
        "description": {"type": ["string", "null"], "description": "What it is for."},
        "runner_type": {"type": "string", "description": "What runs it."},
        "entry_point": {
            "type": ["string", "null"],
            "description": "The file that is run.",
        },
        "enabled": {"type": "boolean", "description": "Whether it may be run."},
        "parameters": {"type": ["object", "null"], "description": "A schema for each parameter by its name."},
    },
}
