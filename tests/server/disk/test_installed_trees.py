"""Installed trees: read-only, recorded, under a name that nothing else has, and found again."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from longshore_bundles import BundleError, PayloadFormat, unpack
from longshore_server.disk import (
    DataFolder,
    InstalledTree,
    InstalledTrees,
    LiveLinks,
    StagedTreeRefused,
)
from tests.bundles.trees import Directory, File, Link, Tree, make_tar

from .places import (
    CONTENT,
    PAYLOAD,
    finalise,
    go_live,
    install,
    names,
    new_staging,
    record_lines,
    rewrite,
    stage,
)


def test_finalised_tree_is_read_only_and_otherwise_as_it_was(
    folder: DataFolder, trees: InstalledTrees
) -> None:
    staged = stage(folder)
    tree = finalise(trees, staged)
    assert tree.path == folder.installed / "p@1.0.0"
    assert not staged.exists()
    assert names(folder.installed) == ["p@1.0.0", "p@1.0.0~record.jsonl"]
    modes = {
        path.relative_to(tree.path).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in (tree.path, *tree.path.rglob("*"))
        if not path.is_symlink()
    }
    assert modes.pop("file") == 0o444
    assert modes.pop("lib/été 日本/ß\n.txt") == 0o444
    assert modes == dict.fromkeys([".", "bin", "bin/run", "lib", "lib/été 日本", "empty"], 0o555)
    assert os.readlink(tree.path / "dangling") == "./nowhere//"  # noqa: PTH115 (a Path would tidy it up)
    assert (tree.path / "link" / "ß\n.txt").read_bytes() == b"one\none\n"
    assert (tree.payload_sha256, tree.content_sha256, tree.is_canonical) == (PAYLOAD, CONTENT, True)
    assert trees.find("p", "1.0.0", PAYLOAD) == tree


def test_record_says_what_every_file_was(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder)
    header, *entries, end = record_lines(tree)
    assert header == {
        "format": 1,
        "project": "p",
        "version": "1.0.0",
        "payload_sha256": PAYLOAD,
        "content_sha256": CONTENT,
        "is_canonical": True,
    }
    paths = [entry.get("file") or entry.get("link") or f"{entry['directory']}/" for entry in entries]
    assert paths == sorted(paths, key=os.fsencode)
    assert len(paths) == end["entries"] == 9
    status = (tree.path / "bin" / "run").stat()
    assert entries[paths.index("bin/run")] == {
        "file": "bin/run",
        "mode": "0555",
        "size_bytes": 14,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
        "blake3": blake3(b"#!/bin/sh\none\n").hexdigest(),
    }
    assert entries[paths.index("dangling")] == {"link": "dangling", "target": "./nowhere//"}
    assert entries[paths.index("empty/")] == {"directory": "empty", "mode": "0555"}


@pytest.mark.parametrize("prefix", ["", "top/"])
def test_digests_of_unpacking_make_the_record_that_reading_makes(
    folder: DataFolder, trees: InstalledTrees, prefix: str
) -> None:
    tree: Tree = {
        "package.json": File(b'{"name": "p", "version": "1.0.0"}'),
        "run": File(b"#!", executable=True),
        "a/é": File(b"x" * 70_000),
        "a.b": Link("a/é"),
        "none": Directory(),
    }
    records = []
    for with_digests in (True, False):
        staged = new_staging(folder) / "tree"
        unpacked = unpack(io.BytesIO(make_tar(tree, prefix=prefix)), staged, PayloadFormat.TAR)
        installed = finalise(trees, staged, file_digests=unpacked.file_digests if with_digests else None)
        assert trees.check(installed)
        records.append(
            [
                {key: value for key, value in line.items() if key not in ("inode", "mtime_ns", "ctime_ns")}
                for line in record_lines(installed)[:-1]
            ]
        )
    assert records[0] == records[1]
    assert [line["file"] for line in records[0] if "blake3" in line] == ["a/é", "package.json", "run"]


def test_digests_of_unpacking_are_used(folder: DataFolder, trees: InstalledTrees) -> None:
    staged = new_staging(folder) / "tree"
    unpacked = unpack(io.BytesIO(b"content"), staged, PayloadFormat.FILE, file_name="f")
    unpacked.file_digests.add("f", bytes(32))
    tree = finalise(trees, staged, file_digests=unpacked.file_digests)
    assert record_lines(tree)[1]["blake3"] == "00" * 32


def test_single_file_stands_in_a_folder_of_its_release(folder: DataFolder, trees: InstalledTrees) -> None:
    staged = new_staging(folder) / "tree"
    digest = hashlib.sha256(b"wheel").hexdigest()
    unpack(io.BytesIO(b"wheel"), staged, PayloadFormat.FILE, file_name="p-1.0.0.whl")
    tree = finalise(trees, staged, payload_sha256=digest)
    file = folder.installed / "p@1.0.0" / "p-1.0.0.whl"
    assert file.read_bytes() == b"wheel"
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert trees.find("p", "1.0.0", digest) == tree


def test_find_asks_for_version_and_payload(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder, "1.0.0-rc.1")
    assert trees.find("p", "1.0.0-rc.1", PAYLOAD) == tree
    assert trees.find("p", "1.0.0", PAYLOAD) is None
    assert trees.find("p", "1.0.0-rc.1", CONTENT) is None
    assert trees.find("q", "1.0.0-rc.1", PAYLOAD) is None


def test_tree_that_a_crash_left_writable_is_found_and_closed(
    folder: DataFolder, trees: InstalledTrees
) -> None:
    tree = install(trees, folder)
    tree.path.chmod(0o755)
    assert trees.find("p", "1.0.0", PAYLOAD) == tree
    assert stat.S_IMODE(tree.path.stat().st_mode) == 0o555


def test_taken_name_gets_a_number_and_the_newest_good_one_is_found(
    folder: DataFolder, trees: InstalledTrees
) -> None:
    installed = [install(trees, folder) for _ in range(3)]
    assert [tree.path.name for tree in installed] == ["p@1.0.0", "p@1.0.0+1", "p@1.0.0+2"]
    assert [tree.number for tree in installed] == [0, 1, 2]
    assert trees.trees("p") == installed[::-1]
    rewrite(installed[2].path / "file", b"bad\n")
    assert trees.find("p", "1.0.0", PAYLOAD) == installed[1]
    trees.remove(installed[0])
    assert install(trees, folder).path.name == "p@1.0.0+3"


def test_orphaned_record_does_not_take_the_name(folder: DataFolder, trees: InstalledTrees) -> None:
    first = install(trees, folder)
    first.path.chmod(0o755)
    first.path.rename(folder.staging / "gone")
    again = install(trees, folder, content=b"two\n")
    assert again.path == first.path
    assert trees.check(again)


def test_longest_names_fit(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder, "1.0.0-" + "v" * 94, project="p" * 100)
    assert trees.check(tree)
    go_live(folder, tree)
    trees.prune(tree.project, keep=0, live=None)
    assert LiveLinks(folder).target(tree.project) == tree.path


@pytest.mark.parametrize(
    ("project", "version"), [("../p", "1.0.0"), ("P", "1.0.0"), ("", "1.0.0"), ("p", "1"), ("p", "1.0.0+1")]
)
def test_wrong_names_are_refused(
    folder: DataFolder, trees: InstalledTrees, project: str, version: str
) -> None:
    with pytest.raises(BundleError):
        install(trees, folder, version, project=project)
    with pytest.raises(BundleError):
        trees.find(project, version, PAYLOAD)
    assert names(folder.installed) == []


def test_only_what_is_in_staging_is_installed(
    folder: DataFolder, trees: InstalledTrees, tmp_path: Path
) -> None:
    outside = stage(folder).rename(tmp_path / "outside")
    with pytest.raises(ValueError, match="is not in"):
        finalise(trees, outside)
    assert (outside / "file").stat().st_mode & stat.S_IWUSR


def test_special_file_is_refused_and_nothing_installed(folder: DataFolder, trees: InstalledTrees) -> None:
    staged = stage(folder)
    os.mkfifo(staged / "lib" / "pipe")
    with pytest.raises(StagedTreeRefused, match="'lib/pipe' is a device, pipe or socket"):
        finalise(trees, staged)
    assert names(folder.installed) == []
    assert names(staged.parent) == ["tree"]
    folder.discard_staging(staged.parent)
    assert names(folder.staging) == []


def test_same_release_from_several_threads(folder: DataFolder, trees: InstalledTrees) -> None:
    installed: list[InstalledTree] = []
    threads = [threading.Thread(target=lambda: installed.append(install(trees, folder))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tree.number for tree in installed) == [0, 1, 2, 3, 4, 5]
    assert all(trees.check(tree) for tree in installed)


def test_names_that_are_not_utf8(folder: DataFolder, trees: InstalledTrees) -> None:
    staged = stage(folder)
    Path(os.fsdecode(os.fsencode(staged) + b"/\xff\xfe")).write_text("x")
    tree = finalise(trees, staged)
    assert trees.find("p", "1.0.0", PAYLOAD) == tree


def test_deep_trees_and_many_files(folder: DataFolder, trees: InstalledTrees) -> None:
    staged = new_staging(folder) / "tree"
    deep = staged.joinpath(*["d" * 28] * 100)
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep")
    for number in range(10_000):
        if number % 100 == 0:
            (staged / f"{number}").mkdir()
        (staged / f"{number - number % 100}" / f"{number}.txt").write_bytes(b"%d" % number)
    tree = finalise(trees, staged)
    assert record_lines(tree)[-1]["entries"] == 10_000 + 100 + 100 + 1
    assert trees.find("p", "1.0.0", PAYLOAD) == tree
    trees.remove(tree)
    assert names(folder.installed) == []
    assert names(folder.staging) == [staged.parent.name]
