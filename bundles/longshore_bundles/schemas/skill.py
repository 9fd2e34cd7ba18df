"""The shape of the front matter of ``SKILL.md``."""

from __future__ import annotations

from .vocabulary import (
    ADDRESS,
    DESCRIPTION,
    DIALECT,
    LINE,
    MAX_NAME_CHARACTERS,
    VERSION,
    WORDS,
    Schema,
    described,
)

SKILL_FRONT_MATTER: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/skill.json",
    "title": "Longshore skill",
    "x-kind": "a skill's front matter",
    "type": "object",
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[a-zA-Z0-9_-]+$",
            "maxLength": MAX_NAME_CHARACTERS,
            "description": "The skill's name. Lower-cased it becomes the project.",
            "x-finding": "INVALID_NAME_FORMAT",
            "x-rule": "1 to 100 of a-z, A-Z, 0-9, '_' and '-'",
        },
        "version": described(VERSION, "The skill's version."),
        "description": described(DESCRIPTION, "What the skill does."),
        "author": described(LINE, "Who wrote it."),
        "tags": described(WORDS, "Words to find it by."),
    },
    "required": ["name"],
    "additionalProperties": False,
}
