"""Packs in an index of a test's own, each an archive beside it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from longshore_bundles.versions import order_key
from longshore_client.contents import content_of

from .packs import GREET, write_pack


def packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=folder.name)
    return buffer.getvalue()


def pack_of(
    folder: Path,
    ref: str,
    version: str = "1.0.0",
    needs: Mapping[str, str] | None = None,
    *,
    workflow: str = GREET,
) -> Path:
    """A pack below ``folder`` that needs others in versions."""
    wanted = ", ".join(f"{{ref: {name}, version: '{demand}'}}" for name, demand in (needs or {}).items())
    return write_pack(
        folder / f"{ref}-{version}",
        ref,
        {"greet": workflow},
        version=version,
        more=f"dependencies: [{wanted}]\n",
    )


def write_index(folder: Path, *packs: Path) -> Path:
    """An index of packs that ``pack_of`` wrote, with their archives beside it; what was there goes."""
    entries: dict[str, dict[str, object]] = {}
    for pack in sorted(packs, key=lambda each: order_key(each.name.partition("-")[2])):
        ref, _, version = pack.name.partition("-")
        (folder / f"{pack.name}.tar").write_bytes(packed(pack))
        source = {"type": "archive", "url": f"{pack.name}.tar"}
        release = {
            "version": version,
            "checksum": f"sha256:{content_of(pack).content_sha256}",
            "install_sources": [source],
        }
        entry = entries.setdefault(
            ref, {"ref": ref, "label": "A Pack", "description": "For tests", "releases": []}
        )
        releases = entry["releases"]
        assert isinstance(releases, list)
        entry |= {"version": version, "install_sources": [source], "releases": [release, *releases]}
    path = folder / "index.json"
    index = {"registry_name": "ops", "version": "1", "last_updated": "2026-11-21T08:30:00Z"}
    path.write_text(json.dumps({**index, "packs": list(entries.values())}))
    return path
