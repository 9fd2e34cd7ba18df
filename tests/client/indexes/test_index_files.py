"""Changing an index's file: whole or not at all, one after another, and never over somebody else's change."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from longshore_bundles.registry import Index, IndexedPack, IndexedRelease
from longshore_client.errors import DestinationUnusable, IndexChanged, IndexRefused, PayloadUnreadable
from longshore_client.index_files import change_index_file, read_index_file
from longshore_client.source_errors import SourceTooLarge

from .conftest import MakePack

TIME = "2026-11-21T00:00:00Z"


def with_pack(index: Index | None, ref: str) -> Index:
    pack = IndexedPack(ref, ref, ref, (IndexedRelease("1.0.0", f"sha256:{'a' * 64}"),))
    return Index(
        "ops", TIME, tuple(sorted((*(index.packs if index else ()), pack), key=lambda each: each.ref))
    )


def started(
    *arguments: str | Path, program: str = "from longshore_client.cli import main; main()"
) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.DEVNULL)


def waiting_for_lock(folder: Path) -> int:
    """How many processes wait for a lock on a folder."""
    inode = f":{folder.stat().st_ino}"
    waiting = (line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line)
    return sum(any(word.endswith(inode) for word in words) for words in waiting)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.json"


def test_somebody_elses_change_is_not_overwritten(path: Path) -> None:
    change_index_file(path, lambda before: with_pack(before, "a"))

    def change(before: Index | None) -> Index:
        path.write_bytes(b"theirs")
        return with_pack(before, "b")

    with pytest.raises(IndexChanged, match="left as it is"):
        change_index_file(path, change)
    assert path.read_bytes() == b"theirs"
    path.unlink()
    with pytest.raises(IndexChanged):
        change_index_file(path, change)
    assert path.read_bytes() == b"theirs"
    assert list(path.parent.iterdir()) == [path]


def test_changes_at_once_lose_nothing(path: Path) -> None:
    refs = [f"p{number}" for number in range(8)]
    threads = [
        threading.Thread(
            target=change_index_file, args=(path, lambda before, ref=ref: with_pack(before, ref))
        )
        for ref in refs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [pack.ref for pack in read_index_file(path).packs] == refs


def test_updates_by_two_processes_at_once_lose_nothing(path: Path, make_pack: MakePack) -> None:
    change_index_file(path, lambda before: with_pack(before, "a"))
    packs = [make_pack("one"), make_pack("two")]
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Both wait for the lock, so that they are at it at once.
        fcntl.flock(folder, fcntl.LOCK_EX)
        running = [started("index", "update", "--index", path, pack) for pack in packs]
        wait_for(lambda: waiting_for_lock(path.parent) == 2)
    finally:
        os.close(folder)
    assert [process.wait(60) for process in running] == [0, 0]
    assert [pack.ref for pack in read_index_file(path).packs] == ["a", "one", "two"]
    assert sorted(each.name for each in path.parent.glob(".*")) == []


def test_an_update_that_is_killed_in_the_middle_leaves_the_old_file(path: Path, make_pack: MakePack) -> None:
    change_index_file(path, lambda before: with_pack(before, "a"))
    before = path.read_bytes()
    # What is to come is written beside by then, and not yet in its place.
    dying = (
        "import os, signal, sys; os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from longshore_client.cli import main; sys.argv[0] = 'longshore'; main()"
    )
    root = make_pack("one")
    killed = started("index", "update", "--index", path, root, program=dying)
    assert killed.wait(60) == -signal.SIGKILL
    (beside,) = path.parent.glob(".index.json.*.tmp")
    assert beside.stat().st_size > len(before)
    assert path.read_bytes() == before
    assert started("index", "update", "--index", path, root).wait(60) == 0
    assert [pack.ref for pack in read_index_file(path).packs] == ["a", "one"]


def test_whoever_reads_while_it_changes_reads_a_whole_index(path: Path) -> None:
    change_index_file(path, lambda before: with_pack(before, "p00"))
    refs = [f"p{number:02}" for number in range(1, 20)]
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not done.is_set():
            seen.append(len(read_index_file(path).packs))

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        try:
            for ref in refs:
                change_index_file(path, partial(with_pack, ref=ref))
        finally:
            done.set()
        reading.result()
    assert seen == sorted(seen)


def test_what_nobody_would_read_is_not_written(path: Path) -> None:
    change_index_file(path, lambda before: with_pack(before, "a"))
    before = path.read_bytes()

    def change(before: Index | None) -> Index:
        changed = with_pack(before, "b")
        return replace(changed, packs=(changed.packs[0], replace(changed.packs[1], label="x" * 20_000)))

    with pytest.raises(SourceTooLarge, match="a text of 20000 characters"):
        change_index_file(path, change)
    assert path.read_bytes() == before


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path in (Path("/proc/index.json"), tmp_path / "no" / "index.json"):
        with pytest.raises(DestinationUnusable, match="cannot write the index"):
            change_index_file(path, lambda before: with_pack(before, "a"))
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    with pytest.raises(PayloadUnreadable, match="cannot read the index"):
        change_index_file(loop, lambda before: with_pack(before, "a"))


def test_a_link_to_an_index_that_is_not_there_yet(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to("served.json")
    change_index_file(link, lambda before: with_pack(before, "a"))
    assert link.is_symlink()
    assert (tmp_path / "served.json").is_file()


def test_a_change_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    change_index_file(path, lambda before: with_pack(before, "a"))
    before = path.read_bytes()

    # In the way of the file that is written first.
    path.with_name(f".index.json.{os.getpid()}.tmp").mkdir()
    with pytest.raises(DestinationUnusable, match="cannot write the index"):
        change_index_file(path, lambda before: with_pack(before, "b"))
    with pytest.raises(IndexRefused) as caught:
        change_index_file(path, lambda before: with_pack(before, "../b"))
    assert [each.code for each in caught.value.findings] == ["INVALID_NAME_FORMAT"]
    assert path.read_bytes() == before


def test_what_cannot_be_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(PayloadUnreadable, match="there is no index"):
        read_index_file(path)
    with pytest.raises(PayloadUnreadable, match="cannot read the index"):
        read_index_file(tmp_path)
    with pytest.raises(PayloadUnreadable):
        change_index_file(tmp_path, lambda before: with_pack(before, "a"))
