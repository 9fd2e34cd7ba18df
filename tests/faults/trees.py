"""Two releases, as trees and as payloads, and what of them a node has on its disk."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.bundles.trees import Directory, File, Link, Tree, make_tar

from .calls import PROJECT

_random = random.Random(7420)
# What cannot be compressed, so that the payloads become several pack files of the crashing node's size.
_SHARED = _random.randbytes(200_000)

V1: Tree = {
    "bin/run": File(b"#!/bin/sh\necho one\n", executable=True),
    "data/shared": File(_SHARED),
    "data/été": File(_random.randbytes(100_000)),
    "current": Link("bin/run"),
    "only-in-1": File(b"gone later"),
}
V2: Tree = {
    "bin/run": File(b"#!/bin/sh\necho two\n", executable=True),
    "data/shared": File(_SHARED),
    "data/été": File(_random.randbytes(600_000)),
    "current": Link("bin/run"),
    "empty": Directory(),
}
PAYLOAD_1, PAYLOAD_2 = make_tar(V1), make_tar(V2)


def live_tree(data_dir: Path, project: str = PROJECT) -> Tree | None:
    """What ``live/`` shows of the project; None where it shows nothing."""
    link = data_dir / "live" / project
    while (shown := _target(link)) is not None:
        try:
            return _read(link)
        except FileNotFoundError:
            # It may be switched, or taken off, while it is read; what it still shows is whole.
            if _target(link) == shown:
                raise
    return None


def leftovers(data_dir: Path) -> list[str]:
    """What a start should have removed, and trees without a record or the other way round."""
    left = [str(path) for path in (data_dir / "staging").iterdir()]
    for name in ("live", "intents", "blobs/.tmp"):
        folder = data_dir / name
        if folder.is_dir():
            left += [
                str(path) for path in folder.iterdir() if path.name.startswith(".") or ".tmp" in path.parts
            ]
    names = {path.name for path in (data_dir / "installed").iterdir()}
    trees = {name for name in names if "~" not in name}
    # Not every tree is a seed.
    lists = names & {f"{name}~chunks" for name in trees}
    return left + sorted(names ^ (trees | lists | {f"{name}~record.jsonl" for name in trees}))


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except FileNotFoundError:
        return None


def _read(root: Path) -> Tree:
    """Everything below ``root``, read-only as installed trees are. ``root`` itself is a link to one."""
    tree: Tree = {}
    for folder, directories, files in os.walk(root):
        if not directories and not files:
            tree[os.path.relpath(folder, root)] = Directory()
        for name in (*directories, *files):
            place = Path(folder, name)
            mode = place.lstat().st_mode & 0o7777
            path = os.path.relpath(place, root)
            if place.is_symlink():
                tree[path] = Link(str(place.readlink()))
            elif place.is_file():
                assert mode in (0o444, 0o555), f"{path} has mode {mode:o}"
                tree[path] = File(place.read_bytes(), executable=mode == 0o555)
            else:
                assert mode == 0o555, f"{path} has mode {mode:o}"
    return tree
