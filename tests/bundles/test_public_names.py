"""What the package promises by name: exports, errors and their reasons."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import longshore_bundles
from longshore_bundles import BundleError, errors

SOURCES = [path.read_text() for path in Path(longshore_bundles.__file__).parent.glob("*.py")]


def test_every_exported_name_is_there() -> None:
    names = longshore_bundles.__all__
    assert all(hasattr(longshore_bundles, name) for name in names)
    assert len(set(names)) == len(names)


def test_every_error_is_exported_and_in_the_tree_of_its_module() -> None:
    tree = inspect.getdoc(errors) or ""
    found = [
        name for name, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, BundleError)
    ]
    assert len(found) > 8
    for name in found:
        assert re.search(rf"\b{name}\b", tree), name
        assert name in longshore_bundles.__all__


def test_every_reason_is_in_the_tree_and_every_one_in_the_tree_is_used() -> None:
    raised = re.compile(
        r"(?:InvalidName|InvalidVersion|InvalidConstraint|EntryRefused|TreeUnreadable|TreeChanged"
        r"|ArchiveUnreadable|LimitExceeded|refused|super\(\).__init__)\(\s*\"([A-Z][A-Z0-9_]+)\""
    )
    used = {reason for source in SOURCES for reason in raised.findall(source)}
    told = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", inspect.getdoc(errors) or ""))
    assert used == told
