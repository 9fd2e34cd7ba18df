"""The shape of a workflow's file.

No ``anyOf`` where a value may be written in several ways: keywords hold for the types that they are about, so
that an error always names the one thing that is wrong. What a shape cannot say (names that must be unique,
tasks that must exist) is in ``workflows/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .vocabulary import ADDRESS, ANY_MAPPING, DIALECT, NAMED_TEXT, TEXT, TEXTS, Schema, described

MAX_LABEL_CHARACTERS: Final = 255
MAX_VERSION_CHARACTERS: Final = 50
MAX_RETRIES: Final = 100

OUTCOME_KEYS: Final = ("on_success", "on_failure", "on_timeout", "on_complete")
"""The keys of a task that name the tasks after it by how it ends."""

EXPRESSION: Final = r"<%[\s\S]*%>|\{\{[\s\S]*\}\}|\{%[\s\S]*%\}"
"""What a text must have in it where only an expression will do, of YAQL or Jinja."""
OR_EXPRESSION: Final = "or an expression, as in {{ vars.x }} or <% ctx(x) %>"
SECONDS: Schema = {
    "type": ["number", "string"],
    "minimum": 0,
    "pattern": EXPRESSION,
    "x-rule": f"a number of seconds from 0 on, {OR_EXPRESSION}",
}
COUNT: Schema = {
    "type": ["integer", "string"],
    "minimum": 1,
    "pattern": EXPRESSION,
    "x-rule": f"a whole number from 1 on, {OR_EXPRESSION}",
}
TASK_NAMES: Schema = {"type": ["string", "array"], "minLength": 1, "items": NAMED_TEXT}
JOIN: Schema = {
    "type": ["string", "integer"],
    "minimum": 1,
    "pattern": "^all$",
    "x-rule": "'all', or how many tasks are waited for",
}
_PUBLISH: Schema = {
    "type": ["object", "array"],
    "items": ANY_MAPPING,
    "description": "What is kept of it: an expression for each name.",
}


def closed(properties: Mapping[str, Any], *required: str) -> Schema:
    """A mapping with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _tasks(description: str) -> Schema:
    return {
        "type": ["array", "object"],
        "minItems": 1,
        "minProperties": 1,
        "items": {"$ref": "#/$defs/task", "required": ["name"]},
        "additionalProperties": {"$ref": "#/$defs/task"},
        "x-rule": "at least one task, in a list or a mapping by name",
        "description": description,
    }


_RETRY: Schema = closed(
    {
        "count": {"type": "integer", "minimum": 1, "maximum": MAX_RETRIES, "description": "How often."},
        "delay": described(SECONDS, "Seconds before it is tried again."),
        "backoff": {
            "enum": ["constant", "linear", "exponential"],
            "default": "constant",
            "description": "How the delay grows.",
        },
        "max_delay": described(SECONDS, "Seconds that the delay does not grow above."),
        "when": described(TEXT, "Under which condition it is tried again."),
    },
    "count",
)
_NEXT: Schema = closed(
    {
        "when": described(TEXT, "Under which condition; without one it is the default."),
        "publish": _PUBLISH,
        "do": described(TASK_NAMES, "The tasks that come next."),
    }
)
_DECISION: Schema = closed(
    {
        "when": described(TEXT, "Under which condition; the first that holds is taken."),
        "next": described(TASK_NAMES, "The tasks that come next."),
        "default": {"type": "boolean", "description": "Whether it is taken when no condition holds."},
    },
    "next",
)
_TASK: Schema = {
    **closed(
        {
            "name": described(NAMED_TEXT, "Its name, unique in the workflow; in a mapping of tasks its key."),
            "type": {
                "enum": ["action", "workflow", "parallel"],
                "default": "action",
                "description": "What it does: it runs an action, a workflow, or tasks at the same time.",
            },
            "description": described(TEXT, "What it is for."),
            "action": described(NAMED_TEXT, "The action or workflow that it runs: pack.name."),
            "input": described(ANY_MAPPING, "What the action is given."),
            "when": described(TEXT, "Under which condition it runs at all."),
            "delay": described(SECONDS, "Seconds before it begins."),
            "with_items": {
                "type": ["string", "array"],
                "description": "What it runs for, once an item: a list, or an expression that gives one.",
            },
            "batch_size": described(COUNT, "How many items a run takes."),
            "concurrency": described(COUNT, "How many runs at the same time."),
            "timeout": described(COUNT, "Seconds after which it has failed."),
            "retry": described(_RETRY, "Whether and when it is tried again after a failure."),
            "publish": _PUBLISH,
            "join": described(JOIN, "How many of the tasks before it are waited for: all, or a number."),
            **{
                key: described(TASK_NAMES, f"The tasks that come next {how}.")
                for key, how in zip(
                    OUTCOME_KEYS,
                    ("when it succeeded", "when it failed", "when it took too long", "in every case"),
                    strict=True,
                )
            },
            "next": {
                "type": "array",
                "items": _NEXT,
                "description": "The tasks that come next, by condition; at most one without `when`.",
            },
            "decision": {
                "type": "array",
                "items": _DECISION,
                "description": "The tasks that come next, one way of several; at most one is the default.",
            },
            "tasks": _tasks("What a parallel task runs at the same time."),
        }
    ),
    "if": {"properties": {"type": {"const": "parallel"}}, "required": ["type"]},
    "then": {"required": ["tasks"]},
    "else": {"required": ["action"]},
}

WORKFLOW: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/workflow.json",
    "title": "Longshore workflow",
    "x-kind": "a workflow",
    **closed(
        {
            "ref": described(TEXT, "Where written, `pack.name` of this very file."),
            "label": described(
                {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARACTERS},
                "The workflow's name for people.",
            ),
            "version": described(
                {"type": "string", "minLength": 1, "maxLength": MAX_VERSION_CHARACTERS},
                "The workflow's version, in quotes where it would be a number.",
            ),
            "description": described(TEXT, "What it is for."),
            "tags": described(TEXTS, "Words to find it by."),
            "enabled": {"type": "boolean", "default": True, "description": "Whether it may be run."},
            "vars": described(ANY_MAPPING, "What it begins with, by name."),
            "parameters": described(ANY_MAPPING, "JSON Schema of what it is given."),
            "output": described(ANY_MAPPING, "JSON Schema of what it gives back."),
            "output_map": described(ANY_MAPPING, "What it gives back: an expression for each name."),
            "tasks": _tasks("What it does: a list of tasks, or a mapping by their names."),
        },
        "label",
        "version",
        "tasks",
    ),
    "$defs": {"task": _TASK},
}
