"""What the package offers, and what it raises, is told in one place each, and whole."""

from __future__ import annotations

import re
import types

import longshore_chunks
from longshore_chunks import ChunksError, errors


def subclasses(cls: type) -> set[type]:
    return {cls}.union(*map(subclasses, cls.__subclasses__()))


def test_every_error_stands_in_the_tree_and_is_exported() -> None:
    names = {cls.__name__ for cls in subclasses(ChunksError)}
    tree = re.findall(r"^[│├└─ ]*([A-Z]\w+)(?: {2,}|$)", errors.__doc__ or "", re.MULTILINE)
    assert set(tree) == names
    assert names <= set(longshore_chunks.__all__)


def test_all_names_are_there_and_nothing_else_is_public() -> None:
    public = {
        name
        for name, value in vars(longshore_chunks).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }
    assert public == set(longshore_chunks.__all__)
