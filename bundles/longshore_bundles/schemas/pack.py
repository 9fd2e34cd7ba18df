"""The shape of ``pack.yaml``."""

from __future__ import annotations

from .vocabulary import (
    ADDRESS,
    ANY_MAPPING,
    DEPENDENCY,
    DESCRIPTION,
    DIALECT,
    LINE,
    MAX_DEPENDENCIES,
    MAX_LABEL_CHARACTERS,
    PACK_REF,
    RUNTIME_DEPS,
    VERSION,
    WORDS,
    Schema,
    described,
)

PACK: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/pack.json",
    "title": "Longshore pack",
    "x-kind": "a pack's manifest",
    "type": "object",
    "properties": {
        "ref": described(PACK_REF, "The pack's name for programs. It becomes the project."),
        "label": described(LINE, "The pack's name for people.", minLength=1, maxLength=MAX_LABEL_CHARACTERS),
        "description": described(DESCRIPTION, "What the pack is for.", minLength=1),
        "version": described(VERSION, "The pack's version."),
        "author": described(LINE, "Who wrote it."),
        "email": described(LINE, "Where its authors are reached."),
        "license": described(LINE, "Its licence, best as an SPDX identifier."),
        "homepage": described(LINE, "Where to read about it."),
        "repository": described(LINE, "Where its sources are."),
        "keywords": described(WORDS, "Words to find it by."),
        "tags": described(WORDS, "Words to group it by."),
        "meta": described(ANY_MAPPING, "Whatever else its authors keep here; Longshore does not read it."),
        "dependencies": {
            "type": "array",
            "items": DEPENDENCY,
            "maxItems": MAX_DEPENDENCIES,
            "description": "Packs that must be live in the environment.",
        },
        "runtime_deps": described(
            RUNTIME_DEPS, "Programs that every node must have, with the versions that will do."
        ),
        "conf_schema": described(ANY_MAPPING, "JSON Schema of the pack's configuration."),
        "tests": described(
            LINE, "The command that tests the pack, run in its folder by nodes that are told to.", minLength=1
        ),
    },
    "required": ["ref", "label", "description", "version"],
    "additionalProperties": False,
}
