"""A tree that is live on trial: what its intent keeps, and how the trial ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from longshore_server.disk import (
    NOTHING,
    DataFolder,
    InstalledTree,
    InstalledTrees,
    Intent,
    IntentDamaged,
    LiveLinks,
    LiveTree,
    Trial,
)

from .places import go_live, install


@pytest.fixture
def two(folder: DataFolder, trees: InstalledTrees) -> tuple[InstalledTree, InstalledTree]:
    """Two trees, of which the first is live."""
    first, second = install(trees, folder), install(trees, folder, "2.0.0")
    go_live(folder, first)
    return first, second


def switch(links: LiveLinks, tree: LiveTree, trial: Trial | None, generation: int = 2) -> None:
    links.switch(
        "p",
        generation=generation,
        version=tree.version,
        target=tree.target,
        deployment_id="d",
        trial=trial,
    )


def live(tree: InstalledTree) -> LiveTree:
    return LiveTree(tree.version, tree.path)


def test_there_and_back(
    folder: DataFolder, links: LiveLinks, two: tuple[InstalledTree, InstalledTree]
) -> None:
    old, new = map(live, two)
    assert links.live("p") == old
    switch(links, new, Trial(old))
    assert links.live("p") == new
    assert links.intent("p") == Intent("p", 2, "2.0.0", new.target, "d", Trial(old))
    assert links.named("p") == {old.target, new.target}
    assert json.loads((folder.intents / "p.json").read_bytes())["trial"] == {
        "version": "1.0.0",
        "tree": "p@1.0.0",
        "failure": "",
    }
    switch(links, old, Trial(old, "it broke"))
    assert links.live("p") == old
    assert links.intent("p") == Intent("p", 2, "1.0.0", old.target, "d", Trial(old, "it broke"))
    links.settle("p", 2)
    assert links.intent("p") == Intent("p", 2, "1.0.0", old.target, "d")
    assert links.repair() == []


def test_a_trial_is_ended_by_its_own_generation_only(
    links: LiveLinks, two: tuple[InstalledTree, InstalledTree]
) -> None:
    old, new = map(live, two)
    links.settle("other", 1)
    switch(links, new, Trial(old))
    for generation in (1, 3):
        links.settle("p", generation)
        assert links.intent("p") == Intent("p", 2, "2.0.0", new.target, "d", Trial(old))


def test_over_nothing_and_back_to_nothing(
    folder: DataFolder, trees: InstalledTrees, links: LiveLinks
) -> None:
    new = live(install(trees, folder))
    assert links.live("p") == NOTHING
    switch(links, new, Trial(NOTHING))
    assert links.intent("p") == Intent("p", 2, "1.0.0", new.target, "d", Trial(NOTHING))
    switch(links, NOTHING, Trial(NOTHING, "it broke"))
    assert links.live("p") == NOTHING
    assert str(NOTHING) == "nothing"


def test_a_tree_installed_again_is_known_by_its_version(
    folder: DataFolder, trees: InstalledTrees, links: LiveLinks
) -> None:
    install(trees, folder)
    again = install(trees, folder)
    go_live(folder, again)
    assert again.path.name == "p@1.0.0+1"
    assert links.live("p") == LiveTree("1.0.0", again.path)


def test_a_link_that_leads_elsewhere_is_no_tree(folder: DataFolder, links: LiveLinks, tmp_path: Path) -> None:
    (folder.live / "p").symlink_to(tmp_path)
    (folder.live / "q").symlink_to("../installed/p@1.0.0")
    assert links.live("p") == links.live("q") == NOTHING


@pytest.mark.parametrize(
    "trial",
    [
        {},
        {"version": "1.0.0", "tree": "../x", "failure": ""},
        {"version": "1", "tree": "q@1", "failure": ""},
        3,
    ],
)
def test_a_damaged_trial_is_a_damaged_intent(
    folder: DataFolder, links: LiveLinks, two: tuple[InstalledTree, InstalledTree], trial: object
) -> None:
    path = folder.intents / "p.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "trial": trial}))
    with pytest.raises(IntentDamaged):
        links.intent("p")
