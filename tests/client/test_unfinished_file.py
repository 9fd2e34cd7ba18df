"""What is remembered of an unfinished upload: whole or nothing, by one process at a time, for a day."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from longshore_client.cli.unfinished import (
    FORGOTTEN_AFTER_S,
    UnfinishedFile,
    UnfinishedUpload,
    source_fingerprint,
    state_folder,
)
from longshore_client.decisions import new_deployment_id

UPLOAD = {"source": "/src/web", "project": "web"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "uploads"


@pytest.fixture
def remembered(folder: Path) -> UnfinishedUpload:
    """One that a process has left behind."""
    unfinished = UnfinishedUpload(new_deployment_id(), "a fingerprint")
    with UnfinishedFile(folder, UPLOAD) as file:
        file.remember(unfinished)
    return unfinished


def _found(folder: Path, upload: dict[str, str] = UPLOAD) -> UnfinishedUpload | None:
    with UnfinishedFile(folder, upload) as file:
        return file.found


def test_the_same_upload_is_found_and_another_is_not(folder: Path, remembered: UnfinishedUpload) -> None:
    assert _found(folder) == remembered
    assert _found(folder, {**UPLOAD, "project": "api"}) is None
    assert _found(folder, dict(reversed(UPLOAD.items()))) == remembered


def test_it_is_for_its_owner_only_and_nothing_lies_beside_it(
    folder: Path, remembered: UnfinishedUpload
) -> None:
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_forgotten_or_was_never_remembered_leaves_nothing(
    folder: Path, remembered: UnfinishedUpload
) -> None:
    with UnfinishedFile(folder, UPLOAD) as file:
        file.forget()
    with UnfinishedFile(folder, {**UPLOAD, "project": "api"}):
        pass
    assert list(folder.iterdir()) == []


def test_one_at_a_time(folder: Path, remembered: UnfinishedUpload) -> None:
    with UnfinishedFile(folder, UPLOAD) as file:
        with pytest.raises(BlockingIOError):
            UnfinishedFile(folder, UPLOAD)
        file.remember(UnfinishedUpload(new_deployment_id(), "another"))
        with pytest.raises(BlockingIOError):
            UnfinishedFile(folder, UPLOAD)
        # What is forgotten may be begun by somebody else, and is then his.
        file.forget()
        with UnfinishedFile(folder, UPLOAD) as other:
            assert other.found is None
            other.remember(remembered)
    assert _found(folder) == remembered


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"[" * 60_000,
        b'{"format": 2, "deployment_id": "5128086d-ea4d-4013-87d4-c46aeffdeb4f", "fingerprint": ""}',
        b'{"format": 1, "deployment_id": "\\u001b[31m", "fingerprint": ""}',
        b'{"format": 1, "deployment_id": 7, "fingerprint": ""}',
        b'{"format": 1, "deployment_id": "5128086d-ea4d-4013-87d4-c46aeffdeb4f"}',
        os.urandom(100_000),
    ],
)
def test_what_cannot_be_read_counts_as_nothing(
    folder: Path, remembered: UnfinishedUpload, text: bytes
) -> None:
    (path,) = folder.iterdir()
    path.write_bytes(text)
    with UnfinishedFile(folder, UPLOAD) as file:
        assert file.found is None
        file.remember(remembered)
    assert _found(folder) == remembered


def test_after_a_day_it_is_dropped_unless_somebody_still_works_on_it(
    folder: Path, remembered: UnfinishedUpload
) -> None:
    (path,) = folder.iterdir()
    old_s = time.time() - FORGOTTEN_AFTER_S - 60
    (folder / "left.tmp").touch()
    for each in folder.iterdir():
        os.utime(each, (old_s, old_s))
    with UnfinishedFile(folder, UPLOAD) as file:
        assert file.found is None
        assert [each.name for each in folder.iterdir()] == [path.name]
        file.remember(remembered)
        os.utime(path, (old_s, old_s))
        _found(folder, {"source": "another"})
        assert path.exists()


def test_the_folder_is_where_the_environment_says_when_that_is_a_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "longshore" / "uploads"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for nowhere in ("", "relative/path"):
        monkeypatch.setenv("XDG_STATE_HOME", nowhere)
        assert state_folder() == tmp_path / "home" / ".local" / "state" / "longshore" / "uploads"


def test_a_fingerprint_changes_with_whatever_would_be_deployed(tree: Path) -> None:
    (tree / ".longshoreignore").write_text("*.log\n")
    seen = {source_fingerprint(tree)}
    (tree / "noise.log").write_text("ignored")
    assert source_fingerprint(tree) in seen

    def edit_and_put_the_time_back() -> None:
        before = (tree / "large.bin").stat()
        (tree / "large.bin").write_bytes(b"x" * before.st_size)
        os.utime(tree / "large.bin", ns=(before.st_atime_ns, before.st_mtime_ns + 1))

    def replace() -> None:
        before = (tree / "run.sh").stat()
        (tree / "beside").write_bytes((tree / "run.sh").read_bytes())
        (tree / "beside").chmod(before.st_mode)
        os.utime(tree / "beside", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tree / "beside").replace(tree / "run.sh")

    for change in (
        edit_and_put_the_time_back,
        replace,
        lambda: (tree / "run.sh").chmod(0o644),
        lambda: (tree / "more").touch(),
        lambda: (tree / "more").rename(tree / "other"),
        lambda: (tree / "current").unlink(),
        lambda: (tree / "current").symlink_to("sub/größe.txt"),
        lambda: (tree / "empty").mkdir(),
        lambda: (tree / ".longshoreignore").write_text("*.bin\n"),
    ):
        change()
        now = source_fingerprint(tree)
        assert now not in seen, change
        seen.add(now)
    file = tree / "run.sh"
    assert source_fingerprint(file) == source_fingerprint(file)
