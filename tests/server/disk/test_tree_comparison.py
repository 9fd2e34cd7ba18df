"""Naming what differs between an installed tree and its record, and telling whether it is its release."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from longshore_bundles import directory_checksum
from longshore_server.disk import (
    DataFolder,
    InstalledTrees,
    TreeComparison,
    compare_with_record,
    content_checksum,
    wrong_modes,
)
from longshore_server.disk.tree_record import RecordHeader, seal_and_record
from tests.bundles.trees import Tree, trees, write_tree

from .places import install, removable
from .test_changed_trees import RECORD_CHANGES, TREE_CHANGES, Change, tamper

HEADER = RecordHeader("p", "1.0.0", "", "", is_canonical=True)


def never() -> bool:
    return False


def named(comparison: TreeComparison | None) -> dict[str, str]:
    assert comparison is not None
    return {one.path: one.kind.value for one in comparison.differences}


def standing(root: Path) -> dict[str, tuple[int, str | bytes]]:
    """Everything below a folder: its type and mode, and what it holds."""
    found: dict[str, tuple[int, str | bytes]] = {}
    for place in root.rglob("*"):
        status = place.lstat()
        held: str | bytes = b""
        if stat.S_ISLNK(status.st_mode):
            held = os.readlink(place)  # noqa: PTH115 (a Path would tidy it up)
        elif stat.S_ISREG(status.st_mode):
            held = place.read_bytes()
        found[str(place.relative_to(root))] = (status.st_mode, held)
    return found


@settings(max_examples=60, deadline=None)
@given(trees(), trees())
def test_any_two_trees_differ_in_exactly_what_differs(before: Tree, after: Tree) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        for name, tree in (("before", before), ("after", after)):
            seal_and_record(write_tree(place / name, tree), place / f"{name}.record", HEADER)
        old, new = standing(place / "before"), standing(place / "after")
        expected = {
            path: "MISSING" if path not in new else "EXTRA" if path not in old else "CHANGED"
            for path in old.keys() | new.keys()
            if old.get(path) != new.get(path)
        }
        found = compare_with_record(place / "after", place / "before.record", never)
        assert named(found) == expected
        assert found is not None
        assert found.total_differences == len(expected)
        assert named(compare_with_record(place / "after", place / "after.record", never)) == {}
        checksum = content_checksum(place / "after", single_file=False, is_stopped=never)
        assert checksum == directory_checksum(place / "after", honour_ignore_file=False)
        intact = wrong_modes(place / "after", never)
        assert (named(intact), intact.compared_entries) == (
            {},
            sum(not stat.S_ISDIR(mode) for mode, _ in new.values()),
        )
        removable(place)


@pytest.mark.parametrize("change", TREE_CHANGES.values(), ids=TREE_CHANGES.keys())
def test_every_change_is_named(folder: DataFolder, trees: InstalledTrees, change: Change) -> None:
    tree = install(trees, folder)
    tree.path.chmod(0o755)
    change(tree.path)
    found = compare_with_record(tree.path, tree.record_path, never)
    if tree.path.is_symlink():
        # What it shows is the same: whoever compares looks for that before.
        assert named(found) == {}
    else:
        assert named(found)


def test_what_hides_is_read(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder)
    tamper(tree.path / "file", b"two\n")
    assert named(compare_with_record(tree.path, tree.record_path, never)) == {"file": "CHANGED"}
    (tree.path / "file").chmod(0o444)
    assert named(wrong_modes(tree.path, never)) == {}


@pytest.mark.parametrize("change", RECORD_CHANGES.values(), ids=RECORD_CHANGES.keys())
def test_a_record_that_was_changed_names_nothing(
    folder: DataFolder, trees: InstalledTrees, change: Callable[[bytes], bytes]
) -> None:
    tree = install(trees, folder)
    tree.record_path.write_bytes(change(tree.record_path.read_bytes()))
    assert compare_with_record(tree.path, tree.record_path, never) is None


def test_a_tree_that_is_distrusted_is_not_found_and_goes_with_the_next_pruning(
    folder: DataFolder, trees: InstalledTrees
) -> None:
    tree = install(trees, folder)
    trees.distrust(tree.path)
    assert trees.trees("p") == []
    assert trees.prune("p", keep=5, live=None) == [tree.path]
    assert not tree.path.exists()
    assert not tree.record_path.exists()
