"""What goes, what stays, and in which order."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from longshore_server.disk import DataFolder, InstalledTrees, TreeIsLive

from .places import PAYLOAD, as_plain_user, go_live, install, names


def test_prune_keeps_what_was_used_last(folder: DataFolder, trees: InstalledTrees) -> None:
    installed = [install(trees, folder, f"1.0.{number}") for number in range(6)]
    live = installed[5]
    go_live(folder, live)
    removed = trees.prune("p", keep=3, live=live.path)
    assert sorted(removed) == [installed[0].path, installed[1].path]
    assert {tree.path for tree in trees.trees("p")} == {tree.path for tree in installed[2:]}
    assert all(trees.check(tree) for tree in installed[2:])
    assert trees.prune("p", keep=3, live=live.path) == []
    assert names(folder.staging) == []


def test_prune_counts_what_was_live_as_used(folder: DataFolder, trees: InstalledTrees) -> None:
    old, middle, new = (install(trees, folder, f"1.0.{number}") for number in range(3))
    trees.prune("p", keep=5, live=old.path)
    assert [tree.path for tree in trees.trees("p")] == [old.path, new.path, middle.path]
    trees.prune("p", keep=1, live=new.path)
    assert {tree.path for tree in trees.trees("p")} == {new.path, old.path}


def test_clock_that_was_set_back_does_not_change_the_order(
    folder: DataFolder, trees: InstalledTrees, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install(trees, folder, "1.0.0")
    monkeypatch.setattr("time.time_ns", lambda: 1)
    second = install(trees, folder, "1.0.1")
    assert second.last_used_ns > first.last_used_ns
    assert trees.prune("p", keep=1, live=None) == [first.path]


def test_prune_spares_what_the_link_points_at_whatever_it_is_told(
    folder: DataFolder, trees: InstalledTrees
) -> None:
    linked, told, other = (install(trees, folder, f"1.0.{number}") for number in range(3))
    go_live(folder, linked)
    assert trees.prune("p", keep=0, live=told.path) == [other.path]
    assert trees.prune("p", keep=0, live=None) == [told.path]
    assert trees.check(linked)


def test_prune_drops_what_was_installed_again_but_not_the_newer_one(
    folder: DataFolder, trees: InstalledTrees
) -> None:
    first, second = install(trees, folder), install(trees, folder)
    go_live(folder, first)
    for _ in range(2):
        assert trees.prune("p", keep=5, live=first.path) == []
    go_live(folder, second, 2)
    assert trees.prune("p", keep=5, live=second.path) == [first.path]


def test_prune_clears_damaged_and_orphaned_records(folder: DataFolder, trees: InstalledTrees) -> None:
    damaged, orphaned, live = (install(trees, folder, f"1.0.{number}") for number in range(3))
    go_live(folder, live)
    damaged.record_path.write_text("{")
    live.record_path.write_text("{")
    orphaned.path.chmod(0o755)
    orphaned.path.rename(folder.staging / "gone")
    assert trees.trees("p") == []
    assert trees.prune("p", keep=5, live=live.path) == [damaged.path]
    assert names(folder.installed) == ["p@1.0.2", "p@1.0.2~record.jsonl"]


def test_foreign_things_are_left_alone(folder: DataFolder, trees: InstalledTrees) -> None:
    (folder.installed / "notes.txt").write_text("mine")
    (folder.installed / "p@1.0.0-bak").mkdir()
    (folder.installed / "p@1.0.0").write_text("mine")
    (folder.installed / "p@~record.jsonl").write_text("{}")
    (folder.installed / "p@1.0.0+0~record.jsonl").write_text("{}")
    (folder.installed / "P@1.0.0~record.jsonl").write_text("{}")
    (folder.installed / "p@9.0.0~record.jsonl.swp").mkdir()
    before = names(folder.installed)
    assert trees.trees("p") == []
    tree = install(trees, folder)
    assert tree.path.name == "p@1.0.0+1"
    assert trees.prune("p", keep=0, live=None) == [tree.path]
    assert names(folder.installed) == before
    assert (folder.installed / "p@1.0.0").read_text() == "mine"


def test_pruning_a_project_spares_those_with_similar_names(folder: DataFolder, trees: InstalledTrees) -> None:
    installed = [
        install(trees, folder, version, project=project)
        for project in ("p", "p.x", "p-1", "p_record.jsonl")
        for version in ("1.0.0", "1.0.0-record.jsonl", "1.0.0-RC")
    ]
    for tree in installed:
        assert trees.find(tree.project, tree.version, PAYLOAD) == tree
    trees.prune("p", keep=0, live=None)
    assert [tree for tree in installed if tree.path.exists()] == installed[3:]
    assert all(trees.check(tree) for tree in installed[3:])


def test_remove(folder: DataFolder, trees: InstalledTrees) -> None:
    tree, live = install(trees, folder), install(trees, folder, "2.0.0")
    go_live(folder, live)
    for _ in range(2):
        trees.remove(tree)
        assert names(folder.installed) == ["p@2.0.0", "p@2.0.0~record.jsonl"]
        assert names(folder.staging) == []
    with pytest.raises(TreeIsLive, match="is live and stays"):
        trees.remove(live)
    assert trees.check(live)


def test_tree_that_somebody_made_a_link_is_removed_without_following_it(
    folder: DataFolder, trees: InstalledTrees, tmp_path: Path
) -> None:
    tree = install(trees, folder)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tree.path, elsewhere, symlinks=True)
    tree.path.chmod(0o755)
    tree.path.rename(folder.staging / "gone")
    tree.path.symlink_to(elsewhere)
    trees.remove(tree)
    assert names(folder.installed) == []
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o555
    assert (elsewhere / "file").read_bytes() == b"one\n"


def test_plain_user_installs_finds_and_removes() -> None:
    with as_plain_user() as root, DataFolder.open(root / "data") as folder:
        trees = InstalledTrees(folder)
        first, second = install(trees, folder), install(trees, folder, "2.0.0")
        with pytest.raises(PermissionError):
            (first.path / "new").write_text("")
        with pytest.raises(PermissionError):
            (first.path / "file").write_text("")
        go_live(folder, second)
        assert trees.find("p", "1.0.0", PAYLOAD) == first
        assert trees.prune("p", keep=0, live=second.path) == [first.path]
        assert names(folder.installed) == ["p@2.0.0", "p@2.0.0~record.jsonl"]
        assert names(folder.staging) == []
