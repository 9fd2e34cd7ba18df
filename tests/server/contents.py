"""Payloads for the tests, made from seeds."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from longshore_bundles import CanonicalTar
from tests.bundles.trees import File, Link, Tree, write_tree

KIB = 1024


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def text_bytes(size: int, seed: int = 1) -> bytes:
    """Something that compresses as programs do."""
    chance = random.Random(seed)
    words = [chance.randbytes(chance.randrange(2, 7)).hex() for _ in range(500)]
    return " ".join(chance.choices(words, k=size // 6)).encode()[:size]


def small_tree(text: str = "one") -> Tree:
    return {"README.md": File(text.encode()), "bin/run": File(b"#!/bin/sh\n", executable=True)}


def large_tree(seed: int = 1) -> Tree:
    """Some MiB in files of all sizes."""
    return {
        **small_tree(),
        "lib/large.bin": File(random_bytes(2 << 20, seed)),
        "lib/text.txt": File(text_bytes(1 << 20, seed)),
        **{f"lib/part{i:02d}": File(random_bytes(20 * KIB, seed + i)) for i in range(30)},
        "current": Link("lib/text.txt"),
        "名前/é": File(b"unicode"),
    }


def with_a_change(tree: Tree) -> Tree:
    """The same but for some bytes in the middle of a large file and one small file."""
    large = tree["lib/large.bin"]
    assert isinstance(large, File)
    middle = len(large.content) // 2
    changed = large.content[:middle] + b"changed" + large.content[middle + 7 :]
    return {**tree, "lib/large.bin": File(changed), "README.md": File(b"another")}


def canonical_tar(tree: Tree) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return b"".join(CanonicalTar(write_tree(Path(folder, "tree"), tree)))


def installed(root: Path) -> Tree:
    """What stands below an installed tree: read-only, with nothing but modes 0444 and 0555."""
    tree: Tree = {}
    for place in sorted(root.rglob("*")):
        path = str(place.relative_to(root))
        if place.is_symlink():
            tree[path] = Link(str(place.readlink()))
        elif place.is_file():
            mode = place.stat().st_mode & 0o7777
            assert mode in (0o444, 0o555), (path, oct(mode))
            tree[path] = File(place.read_bytes(), mode == 0o555)
    return tree
