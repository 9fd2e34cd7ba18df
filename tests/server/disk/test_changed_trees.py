"""What is noticed when somebody changed an installed tree or its record."""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore_server.disk import DataFolder, InstalledTree, InstalledTrees

from .places import PAYLOAD, install, names, record_lines, removable, rewrite

Change = Callable[[Path], object]


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        removable(path)
        shutil.rmtree(path)
    else:
        path.unlink()


def replace(path: Path, by: Callable[[Path], object]) -> None:
    clear(path)
    by(path)


def move_behind_a_link(path: Path, target: str) -> None:
    path.rename(path.parent / target)
    path.symlink_to(target)


def tamper(path: Path, content: bytes) -> None:
    """Change a file as somebody does who hides it: only the time that nobody can set tells."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(stat.S_IMODE(before.st_mode))
    while (after := path.stat()).st_ctime_ns == before.st_ctime_ns or after.st_mtime != before.st_mtime:
        # Not before the file system's clock has ticked once.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)


TREE_CHANGES: dict[str, Change] = {
    "content of the same length": lambda tree: rewrite(tree / "file", b"two\n"),
    "content of the same length, its time restored": lambda tree: tamper(tree / "file", b"two\n"),
    "longer content": lambda tree: rewrite(tree / "file", b"one\n\n"),
    "a file made empty": lambda tree: rewrite(tree / "file", b""),
    "a file gone": lambda tree: (tree / "file").unlink(),
    "the last entry gone": lambda tree: (tree / "link").unlink(),
    "a directory gone": lambda tree: (tree / "empty").rmdir(),
    "everything gone": lambda tree: list(map(clear, list(tree.iterdir()))),
    "another file": lambda tree: (tree / "other").write_text(""),
    "another file at the end": lambda tree: (tree / "zzz").write_text(""),
    "another empty directory": lambda tree: (tree / "new").mkdir(mode=0o555),
    "a file renamed": lambda tree: (tree / "file").rename(tree / "fil"),
    "a mode changed": lambda tree: (tree / "file").chmod(0o644),
    "a file made executable": lambda tree: (tree / "file").chmod(0o555),
    "a program not executable any more": lambda tree: (tree / "bin" / "run").chmod(0o444),
    "a directory's mode changed": lambda tree: (tree / "bin").chmod(0o755),
    "a link in a directory's place": lambda tree: replace(tree / "empty", lambda it: it.symlink_to("bin")),
    "a link elsewhere": lambda tree: replace(tree / "link", lambda it: it.symlink_to("bin")),
    "a link written otherwise": lambda tree: replace(tree / "dangling", lambda it: it.symlink_to("nowhere")),
    "a file in a link's place": lambda tree: replace(tree / "link", Path.touch),
    "a pipe in a file's place": lambda tree: replace(tree / "file", os.mkfifo),
    "a link to the same content": lambda tree: move_behind_a_link(tree / "file", "../moved"),
    "the tree gone": clear,
    "a link in the tree's place": lambda tree: move_behind_a_link(tree, "moved"),
}


@pytest.mark.parametrize("change", TREE_CHANGES.values(), ids=TREE_CHANGES.keys())
def test_changed_tree_is_not_trusted(folder: DataFolder, trees: InstalledTrees, change: Change) -> None:
    tree = install(trees, folder)
    tree.path.chmod(0o755)
    assert trees.check(tree)
    change(tree.path)
    assert not trees.check(tree)
    assert trees.find("p", "1.0.0", PAYLOAD) is None
    again = install(trees, folder)
    assert trees.find("p", "1.0.0", PAYLOAD) == again


def lines(text: bytes) -> list[bytes]:
    return text.splitlines(keepends=True)


RECORD_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda text: b"",
    "without its last byte but one": lambda text: text[:-2],
    "without its end": lambda text: b"".join(lines(text)[:-1]),
    "without its last entry": lambda text: b"".join([*lines(text)[:-2], lines(text)[-1]]),
    "with an entry twice": lambda text: b"".join([*lines(text)[:2], *lines(text)[1:]]),
    "of another payload": lambda text: text.replace(b"ab" * 32, b"0" * 64),
    "with other inodes": lambda text: text.replace(b'"inode":', b'"inode":1'),
    "with something behind": lambda text: text + b"\n",
    "of a newer program": lambda text: text.replace(b'"format":1', b'"format":2'),
    "that is not UTF-8": lambda text: b"\xff" + text,
    "that begins with a list": lambda text: b"[]\n" + text,
    "with an incomplete header": lambda text: text.replace(b'"project":"p",', b""),
}


@pytest.mark.parametrize("change", RECORD_CHANGES.values(), ids=RECORD_CHANGES.keys())
def test_changed_record_is_not_believed(
    folder: DataFolder, trees: InstalledTrees, change: Callable[[bytes], bytes]
) -> None:
    tree = install(trees, folder)
    text = tree.record_path.read_bytes()
    assert change(text) != text
    tree.record_path.write_bytes(change(text))
    assert not trees.check(tree)
    assert trees.find("p", "1.0.0", PAYLOAD) is None


def test_tree_without_a_record_is_not_trusted(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder)
    tree.record_path.unlink()
    assert not trees.check(tree)
    assert trees.find("p", "1.0.0", PAYLOAD) is None


def test_touched_file_is_read_and_trusted(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder)
    os.utime(tree.path / "file", ns=(1, 1))
    assert trees.check(tree)


def test_folder_restored_from_a_copy_is_read_and_trusted(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder)
    shutil.copytree(tree.path, folder.staging / "copy", symlinks=True)
    for path in tree.path, folder.staging / "copy":
        path.chmod(0o755)
    tree.path.rename(folder.staging / "old")
    (folder.staging / "copy").rename(tree.path)
    inodes = [line["inode"] for line in record_lines(tree) if "file" in line]
    assert (tree.path / "file").stat().st_ino not in inodes
    assert trees.find("p", "1.0.0", PAYLOAD) == tree
    assert sorted(path.name for path in folder.staging.iterdir()) == ["old"]


def test_unchanged_files_are_not_read(
    folder: DataFolder, trees: InstalledTrees, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = install(trees, folder)
    record = tree.record_path.read_bytes()

    def only_the_record(path: Path, mode: str) -> io.BytesIO:
        assert path == tree.record_path
        return io.BytesIO(record)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", only_the_record)
        assert trees.check(tree)
        os.utime(tree.path / "file", ns=(1, 1))
        with pytest.raises(AssertionError):
            trees.check(tree)


def test_names_in_installed_stay_as_they_are_while_looking(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = install(trees, folder)
    rewrite(tree.path / "file", b"two\n")
    before = names(folder.installed)
    assert trees.find("p", "1.0.0", PAYLOAD) is None
    assert names(folder.installed) == before


def test_record_of_another_tree_is_not_believed(folder: DataFolder, trees: InstalledTrees) -> None:
    tree: InstalledTree = install(trees, folder)
    shutil.copy(tree.record_path, folder.installed / "p@2.0.0~record.jsonl")
    shutil.copytree(tree.path, folder.installed / "p@2.0.0", symlinks=True)
    assert trees.find("p", "2.0.0", PAYLOAD) is None
    assert trees.trees("p") == [tree]
