"""Killed at every single step, a node finds one of the two consistent states when it starts again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore_server.disk import DataFolder, InstalledTrees, LinkState, LiveLinks

from .places import PAYLOAD, install, names, removable

Crashes = Callable[[str], list[Path]]


@pytest.fixture
def crashes(tmp_path: Path) -> Iterator[Crashes]:
    """The data folders that a scenario left, by the step before which it was killed; the last was not."""

    def crash(scenario: str) -> list[Path]:
        subprocess.run(
            [sys.executable, "-m", "tests.server.disk.crash_harness", scenario, str(tmp_path)],
            check=True,
            cwd=Path(__file__).parents[3],
        )
        return [tmp_path / f"{step}" for step in range(len(names(tmp_path)))]

    yield crash
    removable(tmp_path)


def test_first_start(crashes: Crashes) -> None:
    places = [place for place in crashes("first_start") if place.exists()]
    identified = []
    for place in places:
        identity = place / "node.json"
        before = identity.read_bytes() if identity.exists() else None
        with DataFolder.open(place) as folder:
            node_id = folder.node_id
        with DataFolder.open(place) as folder:
            assert folder.node_id == node_id
        assert before is None or identity.read_bytes() == before
        assert names(place) == ["installed", "intents", "live", "node.json", "node.lock", "staging"]
        identified.append(before is not None)
    assert identified == sorted(identified)
    assert {*identified} == {True, False}


def test_installation(crashes: Crashes) -> None:
    outcomes = []
    for place in crashes("installation"):
        with DataFolder.open(place) as folder:
            trees = InstalledTrees(folder)
            assert names(folder.staging) == []
            found = trees.find("p", "1.0.0", PAYLOAD)
            outcomes.append(found is not None)
            if found is None:
                assert not any(path.is_dir() for path in folder.installed.iterdir())
                found = install(trees, folder)
            else:
                assert trees.seeds("p") == [found]
                found.chunk_list_path.unlink()
            assert found.path == folder.installed / "p@1.0.0"
            assert trees.check(found)
            assert found.path.stat().st_mode & 0o222 == 0
            assert names(folder.installed) == ["p@1.0.0", "p@1.0.0~record.jsonl"]
    assert outcomes == sorted(outcomes)
    assert {*outcomes} == {True, False}


def test_removal(crashes: Crashes) -> None:
    outcomes = []
    for place in crashes("removal"):
        with DataFolder.open(place) as folder:
            trees = InstalledTrees(folder)
            assert names(folder.staging) == []
            found = trees.find("p", "1.0.0", PAYLOAD)
            if found is None:
                assert trees.prune("p", keep=5, live=None) == []
                assert names(folder.installed) == []
            else:
                assert found.path.stat().st_mode & 0o222 == 0
            outcomes.append(found is None)
    assert outcomes == sorted(outcomes)
    assert {*outcomes} == {True, False}


@pytest.mark.parametrize(
    ("scenario", "before", "after"),
    [
        ("first_switch", (None, None), (1, "p@1.0.0")),
        ("switch", (1, "p@1.0.0"), (2, "p@2.0.0")),
        ("undeploy", (1, "p@1.0.0"), (2, None)),
    ],
)
def test_switch(
    crashes: Crashes, scenario: str, before: tuple[int, str], after: tuple[int, str | None]
) -> None:
    outcomes = []
    for place in crashes(scenario):
        with DataFolder.open(place) as folder:
            links = LiveLinks(folder)
            intent, target = links.intent("p"), links.target("p")
            generation, live = intent and intent.generation, target and target.name
            # The intent leads: between the two it is the link that is behind.
            assert (generation, live) in (before, (after[0], before[1]), after)
            findings = links.repair()
            assert [finding.state for finding in findings] == (
                [LinkState.FINISHED] if (generation, live) == (after[0], before[1]) else []
            )
            intent, target = links.intent("p"), links.target("p")
            outcome = (intent and intent.generation, target and target.name)
            assert outcome == (before if generation == before[0] else after)
            assert names(folder.intents) == (["p.json"] if intent else [])
            assert names(folder.live) == (["p"] if target else [])
            if target is not None:
                assert (folder.live / "p" / "file").read_bytes() == b"one\n"
            outcomes.append((generation, live))
    assert {*outcomes} == {before, (after[0], before[1]), after}
    assert outcomes[0] == before
    assert outcomes[-1] == after
