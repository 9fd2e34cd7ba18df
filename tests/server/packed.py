"""Packs and skills with what nodes look at: the runtimes they need, and the tests they bring along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tests.bundles.trees import File, Node, Tree

from .contents import canonical_tar


def pack(version: str, *, files: Mapping[str, Node] | None = None, **manifest: Any) -> bytes:
    """A pack called ``netops``."""
    document = {
        "ref": "netops",
        "label": "Net Ops",
        "description": "Network tools",
        "version": version,
        **manifest,
    }
    tree: Tree = {"pack.yaml": File(yaml.safe_dump(document, sort_keys=False).encode()), **(files or {})}
    return canonical_tar(tree)


def skill(version: str, tests: str, *, executable: bool = True) -> bytes:
    """A skill called ``netops`` with a ``test.sh``."""
    front_matter = f"---\nname: netops\nversion: {version}\ndescription: Tools\n---\n"
    return canonical_tar(
        {
            "SKILL.md": File(front_matter.encode()),
            "execute.sh": File(b"#!/bin/sh\n", executable=True),
            "test.sh": File(f"#!/bin/sh\n{tests}\n".encode(), executable=executable),
        }
    )
