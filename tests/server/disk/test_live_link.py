"""The live link and its intent: what a switch does, what it refuses, and what readers see meanwhile."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import BundleError
from longshore_server.disk import (
    DataFolder,
    InstalledTree,
    InstalledTrees,
    Intent,
    IntentDamaged,
    LiveLinks,
    LiveNotALink,
    StaleGeneration,
    TreeMissing,
)

from .places import go_live, install, names, removable

READER = """
import sys
from pathlib import Path
file, stop, seen = Path(sys.argv[1]), Path(sys.argv[2]), set()
print("reading", flush=True)
while not stop.exists():
    for _ in range(50):
        seen.add(file.read_bytes())
print(sorted(seen), flush=True)
"""


@pytest.fixture
def one(folder: DataFolder, trees: InstalledTrees) -> InstalledTree:
    return install(trees, folder, "1.0.0", content=b"one\n")


@pytest.fixture
def two(folder: DataFolder, trees: InstalledTrees) -> InstalledTree:
    return install(trees, folder, "2.0.0", content=b"two\n")


def test_switch_writes_the_intent_and_points_the_link(
    folder: DataFolder, links: LiveLinks, one: InstalledTree, two: InstalledTree
) -> None:
    assert links.target("p") is None
    assert links.intent("p") is None
    links.switch("p", generation=3, version="1.0.0", target=one.path, deployment_id="d")
    assert os.readlink(folder.live / "p") == "../installed/p@1.0.0"  # noqa: PTH115
    assert (folder.live / "p" / "file").read_bytes() == b"one\n"
    assert links.target("p") == one.path
    assert links.intent("p") == Intent("p", 3, "1.0.0", one.path, "d")
    assert json.loads((folder.intents / "p.json").read_text()) == {
        "format": 1,
        "generation": 3,
        "version": "1.0.0",
        "tree": "p@1.0.0",
        "deployment_id": "d",
    }
    links.switch("p", generation=4, version="2.0.0", target=two.path, deployment_id=None)
    assert (folder.live / "p" / "file").read_bytes() == b"two\n"
    assert links.intent("p") == Intent("p", 4, "2.0.0", two.path, None)
    assert names(folder.live) == ["p"]
    assert names(folder.intents) == ["p.json"]
    assert links.projects() == ["p"]


def test_nothing_is_a_target_too(folder: DataFolder, links: LiveLinks, one: InstalledTree) -> None:
    go_live(folder, one)
    for _ in range(2):
        links.switch("p", generation=2, version=None, target=None, deployment_id="d")
        assert links.target("p") is None
        assert links.intent("p") == Intent("p", 2, None, None, "d")
        assert names(folder.live) == []
    assert one.path.is_dir()
    assert links.projects() == ["p"]


def test_lower_generation_is_refused_and_changes_nothing(
    folder: DataFolder, links: LiveLinks, one: InstalledTree, two: InstalledTree
) -> None:
    go_live(folder, one, 7)
    before = (folder.intents / "p.json").read_bytes()
    with pytest.raises(StaleGeneration, match=r"at generation 7 .* does not go back to 6") as refused:
        links.switch("p", generation=6, version="2.0.0", target=two.path, deployment_id=None)
    assert (refused.value.own, refused.value.asked) == (7, 6)
    with pytest.raises(StaleGeneration):
        links.switch("p", generation=6, version=None, target=None, deployment_id=None)
    assert links.target("p") == one.path
    assert (folder.intents / "p.json").read_bytes() == before


def test_same_generation_again_writes_nothing_when_all_is_as_it_says(
    folder: DataFolder, links: LiveLinks, one: InstalledTree
) -> None:
    go_live(folder, one)
    inodes = [(folder.live / "p").lstat().st_ino, (folder.intents / "p.json").stat().st_ino]
    go_live(folder, one)
    assert [(folder.live / "p").lstat().st_ino, (folder.intents / "p.json").stat().st_ino] == inodes
    (folder.live / "p").unlink()
    go_live(folder, one)
    assert links.target("p") == one.path


def test_same_generation_may_name_the_tree_that_was_installed_again(
    folder: DataFolder, trees: InstalledTrees, links: LiveLinks, one: InstalledTree
) -> None:
    go_live(folder, one)
    again = install(trees, folder, "1.0.0")
    go_live(folder, again)
    assert links.target("p") == again.path == folder.installed / "p@1.0.0+1"


@pytest.mark.parametrize("kind", ["directory", "file", "pipe"])
def test_what_is_no_link_is_left_alone(
    folder: DataFolder, links: LiveLinks, one: InstalledTree, kind: str
) -> None:
    place = folder.live / "p"
    match kind:
        case "directory":
            place.mkdir()
            (place / "file").write_text("mine")
        case "file":
            place.write_text("mine")
        case _:
            os.mkfifo(place)
    before = place.lstat()
    for version, target in (("1.0.0", one.path), (None, None)):
        with pytest.raises(LiveNotALink, match="left as it is: move it away"):
            links.switch("p", generation=1, version=version, target=target, deployment_id=None)
    with pytest.raises(LiveNotALink):
        links.target("p")
    assert place.lstat() == before
    assert names(folder.live) == ["p"]
    assert links.intent("p") is None
    assert kind != "directory" or (place / "file").read_text() == "mine"
    place.rename(folder.path / "moved away")
    go_live(folder, one)
    assert links.target("p") == one.path


def test_only_an_installed_tree_of_that_release_goes_live(
    folder: DataFolder, trees: InstalledTrees, links: LiveLinks, one: InstalledTree
) -> None:
    other = install(trees, folder, "1.0.0", project="q")
    for version, target in (
        ("1.0.0", other.path),
        ("1.0.1", one.path),
        ("1.0.0", folder.staging / one.path.name),
        ("1.0.0", None),
        (None, one.path),
    ):
        with pytest.raises(ValueError, match=r"not an installed tree|given together"):
            links.switch("p", generation=1, version=version, target=target, deployment_id=None)
    trees.remove(one)
    with pytest.raises(TreeMissing, match="install the release again"):
        links.switch("p", generation=1, version="1.0.0", target=one.path, deployment_id=None)
    assert links.intent("p") is None
    assert names(folder.live) == []


@pytest.mark.parametrize("project", ["../p", "P", "", ".p", "p/x", "p" * 101])
def test_wrong_project_names_are_refused(links: LiveLinks, project: str) -> None:
    with pytest.raises(BundleError):
        links.switch(project, generation=1, version=None, target=None, deployment_id=None)
    with pytest.raises(BundleError):
        links.target(project)
    with pytest.raises(BundleError):
        links.intent(project)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": 2, "generation": 1, "version": null, "tree": null, "deployment_id": null}',
        b'{"format": 1, "generation": null, "version": null, "tree": null, "deployment_id": null}',
        b'{"format": 1, "generation": 1, "version": "1.0.0", "tree": "../../etc", "deployment_id": null}',
        b'{"format": 1, "generation": 1, "version": "1.0.0", "tree": "p@/../../etc", "deployment_id": null}',
        b'{"format": 1, "generation": 1, "version": "1.0.0", "tree": "q@1.0.0", "deployment_id": null}',
        b'{"format": 1, "generation": 1, "version": "1.0.0", "tree": 7, "deployment_id": null}',
    ],
)
def test_damaged_intent_stops_switches_until_a_person_decides(
    folder: DataFolder, links: LiveLinks, one: InstalledTree, content: bytes
) -> None:
    go_live(folder, one, 5)
    (folder.intents / "p.json").write_bytes(content)
    with pytest.raises(IntentDamaged, match="remove it so that the node obeys its present assignment anew"):
        links.switch("p", generation=9, version=None, target=None, deployment_id=None)
    assert links.target("p") == one.path
    assert (folder.intents / "p.json").read_bytes() == content
    (folder.intents / "p.json").unlink()
    go_live(folder, one, 1)


def test_full_disk_leaves_what_was_live(
    folder: DataFolder,
    links: LiveLinks,
    one: InstalledTree,
    two: InstalledTree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_live(folder, one)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            go_live(folder, two, 2)
    assert links.target("p") == one.path
    assert links.intent("p") == Intent("p", 1, "1.0.0", one.path, None)
    assert names(folder.intents) == ["p.json"]


def test_intent_is_durable_before_the_link_is_swapped(
    folder: DataFolder,
    links: LiveLinks,
    one: InstalledTree,
    two: InstalledTree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_live(folder, one)
    steps: list[tuple[str, str]] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        target = links.target("p")
        assert target is not None
        steps.append((Path(os.readlink(f"/proc/self/fd/{descriptor}")).name, target.name))  # noqa: PTH115
        sync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        go_live(folder, two, 2)
    assert steps == [(".p.json.tmp", "p@1.0.0"), ("intents", "p@1.0.0"), ("live", "p@2.0.0")]


def test_readers_always_see_one_of_the_two(
    folder: DataFolder, one: InstalledTree, two: InstalledTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_live(folder, one)
    file, stop = folder.live / "p" / "file", folder.path / "stop"
    # Readers never see what has reached the disk, only what the system remembers: switch as fast as it can.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    with subprocess.Popen(
        [sys.executable, "-S", "-c", READER, str(file), str(stop)], stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reading\n"
        for generation in range(2, 1000):
            go_live(folder, (one, two)[generation % 2], generation)
        stop.touch()
        assert reader.stdout.read() == b"[b'one\\n', b'two\\n']\n"
        assert reader.wait() == 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["1.0.0", "2.0.0", None])), max_size=8))
def test_last_switch_that_did_not_go_back_is_live(switches: list[tuple[int, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        with DataFolder.open(Path(root) / "data") as folder:
            trees, links = InstalledTrees(folder), LiveLinks(folder)
            installed = {version: install(trees, folder, version).path for version in ("1.0.0", "2.0.0")}
            generation, live = -1, None
            for asked, version in switches:
                target = installed[version] if version else None
                if asked < generation:
                    with pytest.raises(StaleGeneration):
                        links.switch(
                            "p", generation=asked, version=version, target=target, deployment_id=None
                        )
                else:
                    links.switch("p", generation=asked, version=version, target=target, deployment_id=None)
                    generation, live = asked, target
                assert links.target("p") == live
                intent = links.intent("p")
                assert intent is None or (intent.generation, intent.target) == (generation, live)
            assert links.repair() == []
        removable(Path(root))
