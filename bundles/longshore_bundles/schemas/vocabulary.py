"""What the schemas of several documents have in common."""

from __future__ import annotations

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ADDRESS = "https://longshore.dev/schemas"
"""Where the schemas say they live; nothing is fetched from there."""

MAX_NAME_CHARACTERS = 100
"""Of a skill, a pack, a runtime."""
MAX_LABEL_CHARACTERS = 255
MAX_LINE_CHARACTERS = 2_000
MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_WORDS = 200
MAX_DEPENDENCIES = 200
MAX_RUNTIMES = 50

TEXT: Schema = {"type": "string"}
NAMED_TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "array", "items": TEXT}
LINE: Schema = {"type": "string", "maxLength": MAX_LINE_CHARACTERS}
DESCRIPTION: Schema = {"type": "string", "maxLength": MAX_DESCRIPTION_CHARACTERS}
WORDS: Schema = {
    "type": "array",
    "items": {"type": "string", "maxLength": MAX_LABEL_CHARACTERS},
    "maxItems": MAX_WORDS,
}
"""What is said about a bundle, of which the catalogue and its messages keep something."""
ANY_MAPPING: Schema = {"type": "object"}


def described(schema: Schema, description: str, **more: object) -> Schema:
    """A schema with what it is for, in words that an editor shows."""
    return {**schema, "description": description, **more}


VERSION: Schema = {
    "type": "string",
    "pattern": (
        r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
        r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?$"
    ),
    "maxLength": 100,
    "x-finding": "INVALID_VERSION_FORMAT",
    "x-rule": "a SemVer version such as 1.4.0 or 2.0.0-rc.1, without build metadata",
}
PACK_REF: Schema = {
    "type": "string",
    "pattern": "^[a-z][a-z0-9_-]*$",
    "maxLength": MAX_NAME_CHARACTERS,
    "x-finding": "INVALID_NAME_FORMAT",
    "x-rule": "1 to 100 of a-z, 0-9, '_' and '-', beginning with a letter",
}
DEPENDENCY: Schema = {
    "anyOf": [
        PACK_REF,
        {
            "type": "object",
            "properties": {
                "ref": described(PACK_REF, "The pack that must be live."),
                "version": described(NAMED_TEXT, "Which versions of it will do, such as ^2.1 or >=1.4, <3."),
            },
            "required": ["ref"],
            "additionalProperties": False,
        },
    ],
}
RUNTIME_DEPS: Schema = {
    "type": "object",
    "additionalProperties": NAMED_TEXT,
    "maxProperties": MAX_RUNTIMES,
}
