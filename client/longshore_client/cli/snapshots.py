"""Copies of a directory that is being edited: what is deployed then is one state of it, with a version.

Releases never change, and the version in a manifest stands still while somebody edits. So a copy whose
manifest names a version can be given another one: in the copy's manifest, because a deployment may not be
called otherwise than its manifest says.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore_bundles import BundleManifest, EntryKind, directory_checksum, walk_tree
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.bundle_reading import read_bundle
from longshore_bundles.findings import FindingLog
from longshore_bundles.regular_files import NotRegular, open_regular
from longshore_client.errors import PayloadChanged, PayloadUnreadable
from longshore_client.payloads import readable

from .editor_files import is_left_by_editor

_VERSIONS: Final = re.compile(rb"""(\bversion["']?[ \t]*[:=][ \t]*)("[^"\r\n]*"|'[^'\r\n]*'|[^\s"',{}#]+)""")
"""What may be a version in YAML, JSON or TOML; the manifests' own readers tell which one it is."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of what is deployed of a directory: without .git, what is ignored, and what editors leave."""

    path: Path
    content_sha256: str

    def set_version(self, manifest: BundleManifest, version: str) -> None:
        """Write ``version`` into the files that ``manifest`` was read from. Raises ``PayloadUnreadable``."""
        for name in manifest.file_names:
            file = self.path / name
            file.write_bytes(_with_version(name, file.read_bytes(), version))


def take_snapshot(directory: Path, copy: Path) -> Snapshot:
    """Copy a directory to ``copy``, which is empty. Raises ``PayloadUnreadable``, ``PayloadChanged``."""
    with readable(directory):
        _copy(directory, copy)
        return Snapshot(copy, directory_checksum(copy))


def _copy(directory: Path, copy: Path) -> None:
    for entry in walk_tree(directory, honour_ignore_file=True):
        if is_left_by_editor(Path(entry.path).name):
            continue
        place = copy / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        match entry.kind:
            case EntryKind.DIRECTORY:
                place.mkdir()
            case EntryKind.LINK:
                place.symlink_to(entry.target)
            case _:
                try:
                    # A link may have taken its place meanwhile.
                    with open_regular(Path(entry.location)) as file, place.open("xb") as written:
                        shutil.copyfileobj(file, written)
                except (FileNotFoundError, NotRegular) as error:
                    raise PayloadChanged(f"{entry.path} went away while it was copied") from error
                place.chmod(0o755 if entry.executable else 0o644)


def _with_version(name: str, content: bytes, version: str) -> bytes:
    quoted = f'"{version}"'.encode()
    for found in _VERSIONS.finditer(content):
        changed = content[: found.start(2)] + quoted + content[found.end(2) :]
        files = BundleFiles()
        files.add(name, BundleFile(changed))
        read = read_bundle(files, FindingLog()).manifest
        if read is not None and read.version == version:
            return changed
    raise PayloadUnreadable(f"where {name} says its version is not found: write it on a line of its own")
