"""Trees for the tests of the disk, and the means to look at them, change them and clear them away."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longshore_bundles import FileDigests
from longshore_server.disk import DataFolder, InstalledTree, InstalledTrees, LiveLinks

PAYLOAD = "ab" * 32
CONTENT = "cd" * 32
_PLAIN_UID = 65534


def new_staging(folder: DataFolder, name: str = "test") -> Path:
    """An empty folder in staging of one's own."""
    path = folder.unused_staging_path(name)
    folder.make_staging(path)
    return path


def stage(folder: DataFolder, content: bytes = b"one\n") -> Path:
    """A small unpacked tree in staging, as ``unpack`` leaves one."""
    tree = new_staging(folder) / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "lib" / "été 日本").mkdir(parents=True)
    (tree / "empty").mkdir()
    (tree / "file").write_bytes(content)
    (tree / "bin" / "run").write_bytes(b"#!/bin/sh\n" + content)
    (tree / "bin" / "run").chmod(0o755)
    (tree / "lib" / "été 日本" / "ß\n.txt").write_bytes(content * 2)
    (tree / "link").symlink_to("lib/été 日本")
    os.symlink("./nowhere//", tree / "dangling")  # noqa: PTH211 (a Path would tidy the target up)
    return tree


def finalise(
    trees: InstalledTrees,
    staged: Path,
    version: str = "1.0.0",
    *,
    project: str = "p",
    payload_sha256: str = PAYLOAD,
    file_digests: FileDigests | None = None,
    with_chunks: bool = False,
) -> InstalledTree:
    chunk_list = staged.with_name("chunks")
    if with_chunks:
        chunk_list.touch()
    return trees.finalise(
        staged,
        project=project,
        version=version,
        payload_sha256=payload_sha256,
        content_sha256=CONTENT,
        is_canonical=True,
        file_digests=file_digests,
        chunk_list=chunk_list if with_chunks else None,
    )


def install(
    trees: InstalledTrees,
    folder: DataFolder,
    version: str = "1.0.0",
    *,
    project: str = "p",
    content: bytes = b"one\n",
    with_chunks: bool = False,
) -> InstalledTree:
    staged = stage(folder, content)
    try:
        return finalise(trees, staged, version, project=project, with_chunks=with_chunks)
    finally:
        folder.discard_staging(staged.parent)


def go_live(folder: DataFolder, tree: InstalledTree, generation: int = 1) -> None:
    LiveLinks(folder).switch(
        tree.project, generation=generation, version=tree.version, target=tree.path, deployment_id=None
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def record_lines(tree: InstalledTree) -> list[dict[str, Any]]:
    return [json.loads(line) for line in tree.record_path.read_text("ascii").splitlines()]


def rewrite(path: Path, content: bytes) -> None:
    """Change a file as a careless person does: its time moves on, its mode stays."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


def removable(root: Path) -> None:
    """Make every folder below ``root`` one that its owner can empty."""
    for above, below, _ in os.walk(root):
        for path in (Path(above), *(Path(above, name) for name in below)):
            if not path.is_symlink():
                path.chmod(0o755)


@contextmanager
def as_plain_user() -> Iterator[Path]:
    """Be somebody who is not root, with a folder of one's own."""
    root = Path(tempfile.mkdtemp(prefix="longshore-plain-"))
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.chown(root, _PLAIN_UID, _PLAIN_UID)
            os.setegid(_PLAIN_UID)
            os.seteuid(_PLAIN_UID)
        yield root
    finally:
        if is_root:
            os.seteuid(0)
            os.setegid(0)
        removable(root)
        shutil.rmtree(root)
