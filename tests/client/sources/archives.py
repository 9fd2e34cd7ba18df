"""Small archives, and the checksums of what is in them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from longshore_bundles import directory_checksum
from longshore_client.sources import Checksum


def packed(folder: Path, files: Mapping[str, bytes]) -> tuple[bytes, Checksum]:
    """A tar.gz of a tree that is made as ``tree`` in ``folder``, and the checksum of its content."""
    tree = folder / "tree"
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return archive_of(files), Checksum("sha256", directory_checksum(tree))


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz, in an order that is not the canonical one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in sorted(files, reverse=True):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()
