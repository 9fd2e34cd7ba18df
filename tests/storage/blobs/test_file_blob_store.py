from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import google_crc32c
import pytest

from longshore_storage.blobs import FileBlobStore
from longshore_storage.errors import (
    BlobNotFound,
    BlobStoreFull,
    BlobStoreUnavailable,
    Misconfigured,
    StorageError,
)

BODY = b"some bytes"
CRC = google_crc32c.value(BODY)


@contextmanager
def without_privileges() -> Iterator[None]:
    """As another user when the tests run as root, to whom every folder is writable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """A folder that any user may enter."""
    folder = tmp_path
    while folder != folder.parent and folder.stat().st_uid == os.geteuid() and folder.name:
        folder.chmod(folder.stat().st_mode | 0o055)
        if folder.name.startswith("pytest-of-"):
            break
        folder = folder.parent
    return tmp_path


def temporaries(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".tmp").iterdir())


async def test_an_object_is_a_file_of_its_name_that_only_its_owner_reads(tmp_path: Path) -> None:
    store = await FileBlobStore.open(tmp_path / "deep" / "blobs")
    await store.put("packs/aa/one", [BODY], crc32c=CRC)
    file = tmp_path / "deep" / "blobs" / "packs" / "aa" / "one"
    assert file.read_bytes() == BODY
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep" / "blobs").stat().st_mode & 0o777 == 0o700
    assert temporaries(tmp_path / "deep" / "blobs") == []
    await store.close()


HALFWAY = """
import asyncio, sys
from pathlib import Path
from longshore_storage.blobs import FileBlobStore

class Parts(list):
    def __iter__(self):
        yield b"x" * 3_000_000
        print("halfway", flush=True)
        sys.stdin.read()

async def main():
    store = await FileBlobStore.open(Path(sys.argv[1]))
    await store.put("packs/one", Parts(), crc32c=0)

asyncio.run(main())
"""


async def test_a_writer_that_is_killed_leaves_no_object_and_no_file_for_ever(tmp_path: Path) -> None:
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HALFWAY, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"halfway\n"
        # It lives: another process that opens the store must leave its file alone.
        await (await FileBlobStore.open(tmp_path)).close()
        [left] = temporaries(tmp_path)
        assert (tmp_path / ".tmp" / left).stat().st_size > 0
    finally:
        writer.kill()
        await writer.communicate()
    assert temporaries(tmp_path) == [left]
    store = await FileBlobStore.open(tmp_path)
    assert temporaries(tmp_path) == []
    with pytest.raises(BlobNotFound):
        await store.stat("packs/one")
    assert [blob async for blob in store.list("")] == []
    await store.close()


async def test_only_a_locked_temporary_file_survives_an_opening(tmp_path: Path) -> None:
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "abandoned").write_bytes(BODY)
    with (tmp_path / ".tmp" / "alive").open("wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        await (await FileBlobStore.open(tmp_path)).close()
        assert temporaries(tmp_path) == ["alive"]


async def test_two_stores_share_a_folder(tmp_path: Path) -> None:
    first = await FileBlobStore.open(tmp_path)
    second = await FileBlobStore.open(tmp_path)
    await first.put("packs/one", [BODY], crc32c=CRC)
    await second.put("packs/two", [BODY], crc32c=CRC)
    assert [blob.key async for blob in first.list("")] == ["packs/one", "packs/two"]
    await second.delete("packs/one")
    with pytest.raises(BlobNotFound):
        await first.get("packs/one")
    await first.close()
    await second.close()


async def test_a_failed_put_leaves_nothing(tmp_path: Path) -> None:
    store = await FileBlobStore.open(tmp_path)
    with pytest.raises(StorageError):
        await store.put("packs/one", [BODY], crc32c=CRC ^ 1)
    assert temporaries(tmp_path) == []
    assert not (tmp_path / "packs").exists()
    await store.close()


async def test_an_unwritable_folder_is_told_when_it_is_opened(reachable: Path) -> None:
    folder = reachable / "blobs"
    folder.mkdir(mode=0o555)
    with without_privileges(), pytest.raises(Misconfigured, match=r"Permission denied.*may write"):
        await FileBlobStore.open(folder)
    with without_privileges(), pytest.raises(Misconfigured, match="Permission denied"):
        await FileBlobStore.open(folder / "below")


async def test_a_folder_that_becomes_unwritable_is_still_read(reachable: Path) -> None:
    folder = reachable / "blobs"
    store = await FileBlobStore.open(folder)
    await store.put("one", [BODY], crc32c=CRC)
    (folder / "one").chmod(0o444)
    (folder / ".tmp").chmod(0o555)
    folder.chmod(0o555)
    try:
        with without_privileges():
            assert await store.get("one") == BODY
            assert [blob.key async for blob in store.list("")] == ["one"]
            for change in (store.put("two", [BODY], crc32c=CRC), store.delete("one"), store.check()):
                with pytest.raises(Misconfigured, match="Permission denied"):
                    await change
        assert await store.get("one") == BODY
    finally:
        folder.chmod(0o755)
        (folder / ".tmp").chmod(0o755)
        await store.close()


async def test_a_folder_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misconfigured, match=r"file.*(Not a directory|File exists)"):
        await FileBlobStore.open(tmp_path / "file" / "blobs")
    with pytest.raises(Misconfigured, match=r"file.*(Not a directory|File exists)"):
        await FileBlobStore.open(tmp_path / "file")


async def test_a_folder_that_vanished_is_not_an_empty_store_and_is_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    store = await FileBlobStore.open(folder)
    await store.put("packs/one", [BODY], crc32c=CRC)
    folder.rename(tmp_path / "unmounted")
    folder.mkdir()
    for use in (
        store.get("packs/one"),
        store.stat("packs/one"),
        store.put("packs/two", [BODY], crc32c=CRC),
        store.delete("packs/one"),
        store.check(),
        anext(store.list("")),
        anext(store.list("packs/")),
    ):
        with pytest.raises(Misconfigured, match="is its disk mounted"):
            await use
    assert list(folder.iterdir()) == []
    folder.rmdir()
    (tmp_path / "unmounted").rename(folder)
    assert await store.get("packs/one") == BODY
    await store.close()


async def test_a_folder_below_that_was_removed_by_hand_is_made_again_by_the_next_put(tmp_path: Path) -> None:
    store = await FileBlobStore.open(tmp_path)
    await store.put("packs/one", [BODY], crc32c=CRC)
    shutil.rmtree(tmp_path / "packs")
    with pytest.raises(BlobStoreUnavailable):
        await store.put("packs/two", [BODY], crc32c=CRC)
    await store.put("packs/two", [BODY], crc32c=CRC)
    assert await store.get("packs/two") == BODY
    assert temporaries(tmp_path) == []
    await store.close()


FULL = """
import asyncio, sys
from pathlib import Path
import google_crc32c
from longshore_storage.blobs import FileBlobStore
from longshore_storage.errors import BlobStoreFull

async def main():
    folder = Path(sys.argv[1])
    store = await FileBlobStore.open(folder)
    small, large = b"x" * 1000, b"x" * 2_000_000
    await store.put("packs/small", [small], crc32c=google_crc32c.value(small))
    try:
        await store.put("packs/large", [large], crc32c=google_crc32c.value(large))
    except BlobStoreFull as full:
        print(full)
    assert not list((folder / ".tmp").iterdir())
    assert await store.get("packs/small") == small
    await store.put("packs/other", [small], crc32c=google_crc32c.value(small))
    await store.close()

asyncio.run(main())
"""


def test_a_full_disk_is_told_and_the_store_goes_on(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(tmp_path)]
    inside.append(sys.executable)
    if subprocess.run([*inside, ""], check=False, capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here: user namespaces are not allowed")
    done = subprocess.run([*inside, FULL], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "No space left on device: make room" in done.stdout


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, BlobStoreFull),
        (errno.EDQUOT, BlobStoreFull),
        (errno.EACCES, Misconfigured),
        (errno.EROFS, Misconfigured),
        (errno.EIO, BlobStoreUnavailable),
        (errno.EMFILE, BlobStoreUnavailable),
        (errno.ESTALE, BlobStoreUnavailable),
    ],
)
async def test_the_systems_errors_have_their_meaning(
    tmp_path: Path, number: int, expected: type[StorageError]
) -> None:
    class Broken(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            yield BODY
            raise OSError(number, os.strerror(number))

    store = await FileBlobStore.open(tmp_path)
    with pytest.raises(expected) as caught:
        await store.put("packs/one", Broken(), crc32c=CRC)
    assert type(caught.value) is expected
    assert os.strerror(number) in str(caught.value)
    assert temporaries(tmp_path) == []
    await store.close()
