"""That a tree is on the disk before it stands under its name, and nowhere when it cannot be."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from longshore_server.disk import DataFolder, InstalledTrees, durability

from .places import install, names


@pytest.mark.parametrize("with_syncfs", [True, False])
def test_everything_is_synced_before_it_stands_under_its_name(
    folder: DataFolder, trees: InstalledTrees, monkeypatch: pytest.MonkeyPatch, with_syncfs: bool
) -> None:
    before, after, whole = set[int](), set[int](), list[int]()
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        synced = after if (folder.installed / "p@1.0.0").exists() else before
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def syncfs(descriptor: int) -> int:
        whole.append(os.fstat(descriptor).st_ino)
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        patched.setattr(durability, "_SYNCFS", syncfs if with_syncfs else None)
        tree = install(trees, folder)
    assert tree.record_path.stat().st_ino in before
    assert after == {folder.installed.stat().st_ino}
    everything = [path for path in (tree.path, *tree.path.rglob("*")) if not path.is_symlink()]
    assert len(everything) == 8
    if with_syncfs:
        assert whole == [tree.path.stat().st_ino]
    else:
        assert {path.stat().st_ino for path in everything} <= before


def test_failed_sync_of_the_file_system_installs_nothing(
    folder: DataFolder, trees: InstalledTrees, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(durability, "_SYNCFS", lambda descriptor: -1)
        with pytest.raises(OSError, match="staging"):
            install(trees, folder)
    assert names(folder.installed) == []
    assert install(trees, folder).path.name == "p@1.0.0"


@pytest.mark.parametrize("call", ["fsync", "rename", "replace", "utime"])
def test_full_disk_installs_nothing(
    folder: DataFolder, trees: InstalledTrees, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            install(trees, folder)
    assert names(folder.staging) == []
    assert trees.trees("p") == []
    tree = install(trees, folder)
    assert tree.path.name == "p@1.0.0"
    assert trees.check(tree)


@pytest.mark.skipif(sys.platform != "linux", reason="syncfs is Linux's own")
@pytest.mark.parametrize(
    ("release", "trusted"),
    [("6.18.44", True), ("5.8.0", True), ("5.7.19", False), ("4.4.0", False), ("x", False)],
)
def test_syncfs_is_used_where_it_tells_of_failures(
    monkeypatch: pytest.MonkeyPatch, release: str, trusted: bool
) -> None:
    monkeypatch.setattr("platform.release", lambda: release)
    assert (durability._load_syncfs() is not None) is trusted


def test_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    durability.write_durably(file, b"old")

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output"):
            durability.write_durably(file, b"new")
    assert names(tmp_path) == ["file"]
    assert file.read_bytes() == b"old"
