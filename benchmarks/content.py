"""What is sent: bytes that do not compress, and small edits to a real tree."""

from __future__ import annotations

import os
import random
import shutil
import uuid
from pathlib import Path

from blake3 import blake3

from .packages import settle_times

_BLOCK_BYTES = 1 << 20


def make_random_file(path: Path, size_bytes: int) -> Path:
    """A file of bytes that were never seen before and do not compress (BLAKE3's output of a fresh key)."""
    stream = blake3(uuid.uuid4().bytes)
    with path.open("wb") as file:
        for offset in range(0, size_bytes, _BLOCK_BYTES):
            file.write(stream.digest(length=min(_BLOCK_BYTES, size_bytes - offset), seek=offset))
    return path


def edited_copy(tree: Path, copy: Path, *, share: float, seed: int) -> int:
    """Copy a tree with a line put into the middle of ``share`` of its files; returns how many these are.

    Files that are not edited are links to the originals.
    """
    shutil.copytree(tree, copy, copy_function=os.link, symlinks=True)
    files = sorted(path for path in copy.rglob("*") if path.is_file() and not path.is_symlink())
    chosen = random.Random(seed).sample(files, max(1, round(len(files) * share)))
    for number, path in enumerate(chosen):
        content = path.read_bytes()
        path.unlink()
        middle = content.find(b"\n", len(content) // 2) + 1
        line = b"// edit %d of run %d\n" % (number, seed)
        path.write_bytes(content[:middle] + line + content[middle:])
    settle_times(copy)
    return len(chosen)
