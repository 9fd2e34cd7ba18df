"""A replica with wrong bytes costs a reading, and is never taken for damage of the store; nor hides it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from longshore_storage.blobs import FileBlobStore, ReplicatedBlobStore
from longshore_storage.errors import CorruptBlob
from tests.storage.payloads.world import embedded_only

from .hurt_world import HurtWorld, flipped

pytestmark = embedded_only

DATA = random.Random(5).randbytes(300 * 1024)


def objects(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def hurt(folder: Path) -> None:
    """Every object."""
    for path in objects(folder):
        path.chmod(0o600)
        path.write_bytes(flipped(path.stat().st_size // 2)(path.read_bytes()))


@pytest.fixture
def replica_folder(tmp_path: Path) -> Path:
    return tmp_path / "replica"


async def replicate(world: HurtWorld, tmp_path: Path, replica_folder: Path) -> None:
    shutil.copytree(tmp_path / "blobs", replica_folder)
    replica = await FileBlobStore.open(replica_folder)
    world.blobs._blobs = ReplicatedBlobStore(world.blobs._blobs, [replica])


async def test_a_damaged_replica_is_read_past_and_nothing_is_marked(
    world: HurtWorld, tmp_path: Path, replica_folder: Path
) -> None:
    sha256 = await world.release(DATA)
    await replicate(world, tmp_path, replica_folder)
    hurt(replica_folder)
    assert await world.read(sha256) == DATA
    keys = [blob.key async for blob in world.blobs.list("")]
    assert len(keys) > 3
    for key in keys:
        assert not await world.marker.suspect(key)
    done = await world.scrub().run()
    assert (done.damaged, done.unreadable) == (0, 0)


async def test_a_sound_replica_does_not_hide_a_damaged_store(
    world: HurtWorld, tmp_path: Path, replica_folder: Path
) -> None:
    sha256 = await world.release(DATA)
    await replicate(world, tmp_path, replica_folder)
    hurt(tmp_path / "blobs")
    assert await world.read(sha256) == DATA
    assert (await world.scrub().run()).damaged > 0
    for path in objects(replica_folder):
        path.unlink()
    with pytest.raises(CorruptBlob):
        await world.read(sha256)
