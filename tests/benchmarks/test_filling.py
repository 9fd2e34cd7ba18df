"""What benchmarks put into a store is what a node would have put there: collecting takes it for its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from benchmarks.filling import Size, put_objects
from longshore_storage.blobs import FileBlobStore
from longshore_storage.catalogue import open_catalogue
from longshore_storage.collecting.orphans import SLICES, new_orphans


async def test_objects_that_no_row_names_are_orphans(tmp_path: Path) -> None:
    size = Size(releases=3)
    put_objects(tmp_path / "blobs", size)
    blobs = await FileBlobStore.open(tmp_path / "blobs")
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
    try:
        await catalogue.migrate()
        found = [
            orphan.key
            for prefix in SLICES
            async for orphans in new_orphans(catalogue, blobs, prefix, -timedelta(hours=1))
            for orphan in orphans
        ]
    finally:
        await catalogue.close()
        await blobs.close()
    assert len(found) == size.packs + size.releases
