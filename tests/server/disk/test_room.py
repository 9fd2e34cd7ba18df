"""Room for one more tree: what goes for it, what stays whatever happens, and when nothing goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_server.disk import (
    DataFolder,
    InstalledTree,
    InstalledTrees,
    LiveLinks,
    LiveTree,
    NoRoom,
    Trial,
    make_room,
)

from .places import go_live, install, names

KB = 1000


class Disk:
    """A disk on which nothing but installed trees takes room."""

    def __init__(self, folder: DataFolder, trees: InstalledTrees, links: LiveLinks) -> None:
        self.folder = folder
        self.trees = trees
        self.links = links
        self.size_bytes = 0

    def free_bytes(self) -> int:
        used = sum(
            path.stat().st_size
            for tree in self.folder.installed.iterdir()
            if tree.is_dir()
            for path in tree.rglob("*")
            if path.is_file()
        )
        return self.size_bytes - used

    def install(self, version: str, project: str = "p") -> InstalledTree:
        """A tree of a little more than 100 kB: the content is there several times."""
        return install(self.trees, self.folder, version, project=project, content=b"x" * 25 * KB)

    def make_room(self, needed_bytes: int, project: str = "p") -> list[Path]:
        return make_room(
            self.folder, self.trees, self.links, needed_bytes, project=project, what=f"{project} 9.0.0"
        )


@pytest.fixture
def disk(
    folder: DataFolder, trees: InstalledTrees, links: LiveLinks, monkeypatch: pytest.MonkeyPatch
) -> Disk:
    made = Disk(folder, trees, links)
    monkeypatch.setattr(DataFolder, "free_bytes", lambda _: made.free_bytes())
    return made


def test_where_there_is_room_nothing_goes(disk: Disk) -> None:
    old = disk.install("1.0.0")
    disk.size_bytes = 300 * KB
    assert disk.make_room(190 * KB) == []
    assert disk.trees.check(old)


def test_the_longest_unused_goes_first_of_any_project(disk: Disk) -> None:
    a1, b1, a2 = disk.install("1.0.0", "a"), disk.install("1.0.0", "b"), disk.install("2.0.0", "a")
    disk.size_bytes = 350 * KB
    assert disk.make_room(200 * KB) == [a1.path, b1.path]
    assert disk.trees.check(a2)
    assert names(disk.folder.installed) == ["a@2.0.0", "a@2.0.0~record.jsonl"]
    assert names(disk.folder.staging) == []


def test_what_is_live_or_named_by_an_intent_stays(disk: Disk) -> None:
    one, two, three, four = (disk.install(f"{number}.0.0") for number in range(1, 5))
    go_live(disk.folder, one)
    previous = LiveTree("2.0.0", two.path)
    disk.links.switch(
        "p", generation=2, version="3.0.0", target=three.path, deployment_id=None, trial=Trial(previous)
    )
    disk.size_bytes = 410 * KB
    assert disk.make_room(200 * KB) == [one.path, four.path]
    with pytest.raises(NoRoom):
        disk.make_room(300 * KB)
    assert all(disk.trees.check(tree) for tree in (two, three))


def test_nothing_goes_in_vain(disk: Disk) -> None:
    live, old = disk.install("1.0.0"), disk.install("2.0.0")
    go_live(disk.folder, live)
    disk.size_bytes = 250 * KB
    free = disk.free_bytes()
    with pytest.raises(NoRoom) as caught:
        disk.make_room(500 * KB)
    assert (caught.value.needed, caught.value.free) == (500 * KB, free)
    told = str(caught.value)
    assert told.startswith(f"no room for p 9.0.0: it needs 500000 bytes, {free} are free in ")
    assert " more would be without old releases; free some, then deploy the release again" in told
    assert disk.trees.check(old)


def test_other_projects_that_are_busy_are_left_alone(disk: Disk) -> None:
    other, own = disk.install("1.0.0", "other"), disk.install("1.0.0", "own")
    disk.size_bytes = 210 * KB
    with disk.trees.busy("other"), disk.trees.busy("own"):
        with pytest.raises(NoRoom):
            disk.make_room(180 * KB, "own")
        assert not disk.trees.remove_idle(other, own="own")
        assert disk.make_room(90 * KB, "own") == [own.path]
        assert disk.trees.check(other)
    assert disk.make_room(180 * KB, "own") == [other.path]


def test_of_a_project_whose_intent_cannot_be_read_nothing_goes(disk: Disk) -> None:
    damaged, sound = disk.install("1.0.0", "damaged"), disk.install("1.0.0", "sound")
    go_live(disk.folder, damaged)
    (disk.folder.intents / "damaged.json").write_text("{")
    disk.size_bytes = 210 * KB
    assert disk.make_room(100 * KB) == [sound.path]
    assert disk.trees.check(damaged)
