"""Opening a data folder: its identity, its lock, its sweeping, and every way in which it cannot be used."""

from __future__ import annotations

import errno
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

from longshore_server.disk import DataFolder, DataFolderInUse, DataFolderUnusable, InstalledTrees

from .places import as_plain_user, install, names, new_staging, stage

HOLDER = """
import sys
from pathlib import Path
from longshore_server.disk.data_folder import DataFolder
with DataFolder.open(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_first_start_makes_the_folder_with_its_parents_and_keeps_the_identity(tmp_path: Path) -> None:
    place = tmp_path / "new" / "data"
    with DataFolder.open(place) as folder:
        assert uuid.UUID(folder.node_id).version == 4
        assert folder.path == place
        assert names(place) == ["installed", "intents", "live", "node.json", "node.lock", "staging"]
        first = folder.node_id
    with DataFolder.open(place) as folder:
        assert folder.node_id == first
    assert json.loads((place / "node.json").read_text()) == {"format": 1, "node_id": first}


def test_paths_are_absolute_and_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    with DataFolder.open(Path("link/data")) as folder:
        assert folder.path == tmp_path / "real" / "data"
        for path in folder.staging, folder.intents, folder.installed, folder.live:
            assert path.parent == folder.path
            assert path.is_dir()


def test_second_opening_names_folder_and_holder_and_harms_nothing(folder: DataFolder) -> None:
    area = new_staging(folder, "kept")
    with pytest.raises(DataFolderInUse) as refused, DataFolder.open(folder.path):
        pass
    assert refused.value.pid == os.getpid()
    assert str(folder.path) in str(refused.value)
    assert str(os.getpid()) in str(refused.value)
    assert area.is_dir()


def test_lock_of_another_process_ends_with_it(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataFolderInUse) as refused, DataFolder.open(place):
            pass
        assert refused.value.pid == holder.pid
        holder.kill()
        holder.wait()
        with DataFolder.open(place):
            assert (place / "node.lock").read_text() == f"{os.getpid()}\n"
            assert (place / "node.lock").stat().st_mode & 0o777 == 0o600


def test_holder_that_has_not_said_its_number_is_another_process(folder: DataFolder) -> None:
    (folder.path / "node.lock").write_bytes(b"")
    with pytest.raises(DataFolderInUse, match="another process") as refused, DataFolder.open(folder.path):
        pass
    assert refused.value.pid is None


def test_start_empties_staging_without_following_links(place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o750)
    (outside / "file").write_text("kept")
    with DataFolder.open(place) as folder:
        tree = stage(folder)
        (tree / "out").symlink_to(outside)
        (tree / "bin").chmod(0o000)
        tree.chmod(0o555)
        (folder.staging / "stray").write_text("")
        (folder.staging / "link").symlink_to(outside)
    with DataFolder.open(place) as folder:
        assert names(folder.staging) == []
    assert (outside / "file").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o750


def test_staging_folders_are_unique_and_discarded_whole(folder: DataFolder) -> None:
    first, second = new_staging(folder, "p@1.0.0"), new_staging(folder, "p@1.0.0")
    assert first != second
    (first / "tree").mkdir()
    (first / "tree").chmod(0o555)
    folder.discard_staging(first)
    folder.discard_staging(first)
    assert names(folder.staging) == [second.name]
    with pytest.raises(ValueError, match="is not in"):
        folder.discard_staging(folder.installed)


def test_free_bytes_are_those_of_the_disk(folder: DataFolder) -> None:
    assert 0 < folder.free_bytes() <= shutil.disk_usage(folder.path).total


@pytest.mark.parametrize("below", ["", "data", "a/b/c"])
def test_file_in_the_way_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    place = tmp_path / "file" / below
    with pytest.raises(DataFolderUnusable, match="is no folder: name another") as refused:
        DataFolder.open(place).__enter__()
    assert str(place) in str(refused.value)
    assert (tmp_path / "file").read_text() == "kept"


def test_file_in_the_place_of_a_folder_inside(place: Path) -> None:
    place.mkdir()
    (place / "installed").write_text("")
    with pytest.raises(DataFolderUnusable, match="/installed', or what is above it, is no folder"):
        DataFolder.open(place).__enter__()


def test_link_to_nowhere_is_no_folder(place: Path) -> None:
    place.symlink_to("nowhere")
    with pytest.raises(DataFolderUnusable, match="no folder"), DataFolder.open(place):
        pass


@pytest.mark.parametrize("name", ["node.lock", "installed", "staging", "live", "intents"])
def test_part_that_may_not_be_written_is_named(name: str) -> None:
    with as_plain_user() as root:
        with DataFolder.open(root / "data"):
            pass
        (root / "data" / name).chmod(0o444 if name == "node.lock" else 0o555)
        message = rf"may not write it .*/data/{name}.*give it to that user"
        with pytest.raises(DataFolderUnusable, match=message), DataFolder.open(root / "data"):
            pass


def test_folder_that_may_not_be_made_names_user_and_way_out() -> None:
    with as_plain_user() as root:
        root.chmod(0o555)
        user = pwd.getpwuid(os.geteuid()).pw_name
        with pytest.raises(DataFolderUnusable, match=f"user {user} may not write it") as refused:
            DataFolder.open(root / "data").__enter__()
        assert str(root / "data") in str(refused.value)
        assert names(root) == []


def test_plain_user_opens_a_folder_of_his_own_again() -> None:
    with as_plain_user() as root:
        with DataFolder.open(root / "data") as folder:
            stage(folder).chmod(0o555)
        with DataFolder.open(root / "data") as folder:
            assert names(folder.staging) == []


def test_part_on_another_file_system_is_refused(place: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == place.parent.stat().st_dev:
        pytest.skip("no second file system at hand")
    place.mkdir()
    with tempfile.TemporaryDirectory(dir=memory) as elsewhere:
        (place / "installed").symlink_to(elsewhere)
        with pytest.raises(DataFolderUnusable, match="'installed' in it is on another file system"):
            DataFolder.open(place).__enter__()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 1, "node_id": "x"}',
        '{"format": 1, "node_id": 7}',
    ],
)
def test_damaged_identity_is_never_replaced(place: Path, content: str) -> None:
    place.mkdir()
    (place / "node.json").write_text(content)
    with pytest.raises(DataFolderUnusable, match="damaged: restore it, or remove it"), DataFolder.open(place):
        pass
    assert (place / "node.json").read_text() == content
    (place / "node.json").unlink()
    with DataFolder.open(place):
        pass


def test_identity_of_a_newer_program_is_left_alone(place: Path) -> None:
    place.mkdir()
    (place / "node.json").write_text('{"format": 2}')
    with pytest.raises(DataFolderUnusable, match="format 2, this program knows 1"), DataFolder.open(place):
        pass


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "its file system is read-only .*: mount it writable"),
        (errno.EDQUOT, "its disk is full .*: make room"),
        (errno.EIO, "Input/output error .*: see to its disk"),
    ],
)
def test_trouble_of_the_disk_is_told_with_a_way_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def failing(path: Path, mode: int = 0o777) -> None:
        raise OSError(number, os.strerror(number), os.fspath(path))

    with DataFolder.open(place):
        pass
    (place / "live").rmdir()
    monkeypatch.setattr(os, "mkdir", failing)
    with pytest.raises(DataFolderUnusable, match=advice.replace(" .*", ".* at '/.*/data/live'.*")):
        DataFolder.open(place).__enter__()


def test_full_disk_is_told_and_leaves_no_half_identity(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DataFolderUnusable, match="disk is full"), DataFolder.open(place):
            pass
    assert "node.json" not in names(place)
    with DataFolder.open(place) as folder:
        assert install(InstalledTrees(folder), folder).path.is_dir()
