"""The shape of a registry's index.

What a shape cannot say (constraints, claims that contradict each other) is in ``registry/rules.py``.
"""

from __future__ import annotations

from .vocabulary import (
    ADDRESS,
    DEPENDENCY,
    DIALECT,
    NAMED_TEXT,
    PACK_REF,
    RUNTIME_DEPS,
    TEXT,
    TEXTS,
    VERSION,
    Schema,
    described,
)

_CHECKSUM: Schema = {
    "type": "string",
    "description": "The content checksum that `longshore checksum` prints.",
    "pattern": "^sha256:[0-9a-f]{64}$",
    "x-finding": "CHECKSUM_INVALID",
    "x-rule": "sha256: and 64 hexadecimal digits in lower case",
}
_TIME: Schema = {
    "type": "string",
    "pattern": r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
    "x-rule": "a time as RFC 3339 writes it, such as 2026-11-21T08:30:00Z",
}
# Whoever fetches it must not take it for an option of a program.
_ADDRESS: Schema = {
    "type": "string",
    "pattern": r"^[^-\s][^\s]*$",
    "x-finding": "ADDRESS_INVALID",
    "x-rule": "there, without spaces, and not begin with '-'",
}

_SOURCES: Schema = {
    "description": "Where this version is fetched from; the first that can be had is taken.",
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "type": {"description": "What is fetched.", "enum": ["archive", "git"]},
            "url": described(_ADDRESS, "Where it is."),
            "ref": described(_ADDRESS, "Of git: the tag, branch or commit."),
            "checksum": _CHECKSUM,
        },
        "required": ["type", "url"],
        "additionalProperties": False,
        "if": {"properties": {"type": {"const": "git"}}, "required": ["type"]},
        "then": {"required": ["ref"]},
    },
}

_ITEMS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": described(NAMED_TEXT, "Its name."),
            "description": described(TEXT, "What it does."),
        },
        "required": ["name"],
        "additionalProperties": False,
    },
}

_RELEASE: Schema = {
    "type": "object",
    "properties": {
        "version": described(VERSION, "The version."),
        "published_at": described(_TIME, "When it was put into the index."),
        "checksum": _CHECKSUM,
        "install_sources": _SOURCES,
    },
    "required": ["version", "checksum"],
    "additionalProperties": False,
}

_PACK: Schema = {
    "type": "object",
    "properties": {
        "ref": described(PACK_REF, "The pack's name for programs."),
        "label": described(NAMED_TEXT, "The pack's name for people."),
        "description": described(NAMED_TEXT, "What the pack is for."),
        "version": described(VERSION, "Its highest version, which everything here describes."),
        "author": described(TEXT, "Who wrote it."),
        "license": described(TEXT, "Its licence, best as an SPDX identifier."),
        "keywords": described(TEXTS, "Words to find it by."),
        "runtime_deps": described(RUNTIME_DEPS, "Programs that every node must have, with their versions."),
        "dependencies": {"description": "Packs that it needs.", "type": "array", "items": DEPENDENCY},
        "install_sources": _SOURCES,
        "contents": {
            "description": "What is in it, by kind.",
            "type": "object",
            "properties": {"actions": _ITEMS, "sensors": _ITEMS, "workflows": _ITEMS},
            "additionalProperties": _ITEMS,
        },
        "releases": {"description": "All versions that there are.", "type": "array", "items": _RELEASE},
    },
    "required": ["ref", "label", "description", "version"],
    "additionalProperties": False,
}

INDEX: Schema = {
    "$schema": DIALECT,
    "$id": f"{ADDRESS}/index.json",
    "title": "Longshore index",
    "x-kind": "an index of packs",
    "type": "object",
    "properties": {
        "registry_name": described(NAMED_TEXT, "What the registry is called."),
        "version": {
            "description": "The version of the index's format.",
            "const": "1",
            "x-rule": '"1", which is all that this program knows: it may be too old for this index',
        },
        "last_updated": described(_TIME, "When the index was last changed."),
        "packs": {"description": "The packs.", "type": "array", "items": _PACK},
    },
    "required": ["registry_name", "version", "last_updated", "packs"],
    "additionalProperties": False,
}
"""The index of a registry."""
