"""The shape of a workflow in orquesta's form, StackStorm's, which is read as well.

After https://docs.stackstorm.com/orquesta/languages/orquesta.html.
"""

from __future__ import annotations

from .vocabulary import ADDRESS, ANY_MAPPING, DIALECT, TEXT, Schema, described
from .workflow import (
    COUNT,
    JOIN,
    MAX_RETRIES,
    MAX_VERSION_CHARACTERS,
    OR_EXPRESSION,
    SECONDS,
    TASK_NAMES,
    closed,
)

_NAMED_VALUES: Schema = {
    "type": "array",
    "items": {"type": ["string", "object"], "minProperties": 1},
}
_TASK: Schema = closed(
    {
        "action": described(TEXT, "The action that it runs: pack.name, perhaps with inputs behind it."),
        "input": {"type": ["object", "string"], "description": "What the action is given."},
        "delay": described(SECONDS, "Seconds before it begins."),
        "join": described(JOIN, "How many of the tasks before it are waited for: all, or a number."),
        "with": {
            "type": ["string", "object"],
            "properties": {"items": {"type": ["string", "array"]}, "concurrency": COUNT},
            "required": ["items"],
            "additionalProperties": False,
            "description": "What it runs for, once an item.",
        },
        "retry": described(
            closed(
                {
                    "count": {
                        **COUNT,
                        "maximum": MAX_RETRIES,
                        "x-rule": f"a whole number from 1 to {MAX_RETRIES}, {OR_EXPRESSION}",
                    },
                    "delay": SECONDS,
                    "when": TEXT,
                },
                "count",
            ),
            "Whether and when it is tried again.",
        ),
        "next": {
            "type": "array",
            "items": closed(
                {
                    "when": TEXT,
                    "publish": {"type": ["string", "object", "array"], "items": ANY_MAPPING},
                    "do": TASK_NAMES,
                }
            ),
            "description": "The tasks that come next, by condition.",
        },
    }
)

ORQUESTA_WORKFLOW: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/orquesta-workflow.json",
    "title": "Workflow in orquesta's form",
    "x-kind": "a workflow in orquesta's form",
    **closed(
        {
            "version": {
                "type": ["number", "string"],
                "maxLength": MAX_VERSION_CHARACTERS,
                "description": "The version of the form: 1.0.",
            },
            "description": described(TEXT, "What it is for."),
            "tags": {"type": "array", "description": "Words to find it by."},
            "input": described(_NAMED_VALUES, "What it is given: names, or names with defaults."),
            "vars": described(_NAMED_VALUES, "What it begins with, by name."),
            "output": described(_NAMED_VALUES, "What it gives back: an expression for each name."),
            "tasks": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"$ref": "#/$defs/task"},
                "x-rule": "at least one task, by name",
                "description": "What it does: tasks by their names.",
            },
        },
        "version",
        "tasks",
    ),
    "$defs": {"task": _TASK},
}
