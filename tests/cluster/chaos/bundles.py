"""Small bundles whose every byte is known, and the digest of a tree as it lies on a disk."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARK: Final = "failing_at"
_KIB = 1024


@dataclass(frozen=True)
class Bundle:
    """Files by path; those below ``bin/`` are executable."""

    files: Mapping[str, bytes]

    @property
    def content(self) -> str:
        """The digest that ``content_of`` gives for the tree wherever it lies."""
        return _digest({path: (path.startswith("bin/"), data) for path, data in self.files.items()})

    def write(self, root: Path) -> Path:
        for path, data in self.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755 if path.startswith("bin/") else 0o644)
        return root


def make_bundle(chance: random.Random, project: str, failing_at: str = "") -> Bundle:
    """Content that was never deployed before, most of which the project has stored already.

    The hook of the node ``failing_at`` fails at it, once.
    """
    common = random.Random(project)
    return Bundle(
        {
            MARK: failing_at.encode(),
            "number": chance.randbytes(16).hex().encode(),
            "bin/run": b"#!/bin/sh\n" + common.randbytes(_KIB).hex().encode(),
            "data/common": common.randbytes(200 * _KIB),
            "data/own": chance.randbytes(chance.randrange(4 * _KIB, 100 * _KIB)),
        }
    )


def content_of(root: Path) -> str:
    """The digest of all files below ``root``. Raises ``FileNotFoundError``."""
    files = {}
    for path in sorted(root.rglob("*")):
        if not path.is_dir():
            executable = bool(path.stat().st_mode & 0o100)
            files[str(path.relative_to(root))] = (executable, path.read_bytes())
    if not files:
        raise FileNotFoundError(root)
    return _digest(files)


def _digest(files: Mapping[str, tuple[bool, bytes]]) -> str:
    digest = hashlib.sha256()
    for path, (executable, data) in sorted(files.items()):
        digest.update(repr((path, executable, hashlib.sha256(data).hexdigest())).encode())
    return digest.hexdigest()
