"""What a start makes of links and intents that are not equal."""

from __future__ import annotations

import pytest

from longshore_server.disk import DataFolder, InstalledTrees, LinkState, LiveLinks

from .places import go_live, install, names, rewrite


@pytest.fixture
def installed(folder: DataFolder, trees: InstalledTrees, links: LiveLinks) -> None:
    """Release 1.0.0 is there; 2.0.0 went live in generation 2."""
    install(trees, folder, "1.0.0")
    go_live(folder, install(trees, folder, "2.0.0"), 2)
    install(trees, folder, "3.0.0", project="q")


def relink(folder: DataFolder, target: str | None) -> None:
    """Make the link what it was before the last switch."""
    (folder.live / "p").unlink()
    if target is not None:
        (folder.live / "p").symlink_to(target)


@pytest.mark.usefixtures("installed")
class TestRepair:
    def test_nothing_to_tell_where_all_is_as_it_should_be(self, folder: DataFolder, links: LiveLinks) -> None:
        assert links.repair() == []
        links.switch("p", generation=3, version=None, target=None, deployment_id=None)
        assert links.repair() == []

    @pytest.mark.parametrize("before", ["../installed/p@1.0.0", "/nowhere", None])
    def test_switch_is_finished(self, folder: DataFolder, links: LiveLinks, before: str | None) -> None:
        relink(folder, before)
        (finding,) = links.repair()
        assert (finding.project, finding.state) == ("p", LinkState.FINISHED)
        assert finding.intent == links.intent("p")
        assert "'p@2.0.0' is live now" in finding.detail
        assert links.target("p") == folder.installed / "p@2.0.0"
        assert links.repair() == []

    def test_undeploy_is_finished(self, folder: DataFolder, links: LiveLinks) -> None:
        links.switch("p", generation=3, version=None, target=None, deployment_id=None)
        (folder.live / "p").symlink_to("../installed/p@2.0.0")
        (finding,) = links.repair()
        assert finding.state is LinkState.FINISHED
        assert "nothing is live now" in finding.detail
        assert links.target("p") is None

    def test_switch_to_a_changed_tree_is_told_and_the_old_one_stays(
        self, folder: DataFolder, links: LiveLinks
    ) -> None:
        relink(folder, "../installed/p@1.0.0")
        rewrite(folder.installed / "p@2.0.0" / "file", b"bad\n")
        (finding,) = links.repair()
        assert finding.state is LinkState.TARGET_UNUSABLE
        assert "is not as it was installed: install the release again" in finding.detail
        assert links.target("p") == folder.installed / "p@1.0.0"

    @pytest.mark.parametrize("linked", ["p@1.0.0", "p@2.0.0"])
    def test_tree_that_is_gone_is_told(self, folder: DataFolder, links: LiveLinks, linked: str) -> None:
        relink(folder, f"../installed/{linked}")
        tree = folder.installed / "p@2.0.0"
        tree.chmod(0o755)
        tree.rename(folder.staging / "gone")
        (finding,) = links.repair()
        assert finding.state is LinkState.TARGET_UNUSABLE
        assert "is gone" in finding.detail
        assert links.target("p") == folder.installed / linked

    def test_damaged_intent_is_told(self, folder: DataFolder, links: LiveLinks) -> None:
        (folder.intents / "p.json").write_text("{")
        (finding,) = links.repair()
        assert (finding.state, finding.intent) == (LinkState.INTENT_DAMAGED, None)
        assert "restore it, or remove it" in finding.detail
        assert links.target("p") == folder.installed / "p@2.0.0"

    def test_link_without_an_intent_is_told(self, folder: DataFolder, links: LiveLinks) -> None:
        (folder.intents / "p.json").unlink()
        (finding,) = links.repair()
        assert finding.state is LinkState.NO_INTENT
        assert links.target("p") == folder.installed / "p@2.0.0"

    def test_something_else_in_the_links_place_is_told(self, folder: DataFolder, links: LiveLinks) -> None:
        (folder.live / "p").unlink()
        (folder.live / "p").mkdir()
        (finding,) = links.repair()
        assert (finding.state, finding.intent) == (LinkState.NOT_A_LINK, links.intent("p"))
        assert (folder.live / "p").is_dir()

    def test_one_broken_project_does_not_hold_up_the_others(
        self, folder: DataFolder, links: LiveLinks
    ) -> None:
        links.switch(
            "q", generation=1, version="3.0.0", target=folder.installed / "q@3.0.0", deployment_id=None
        )
        (folder.live / "q").unlink()
        (folder.intents / "p.json").write_text("")
        assert [(finding.project, finding.state) for finding in links.repair()] == [
            ("p", LinkState.INTENT_DAMAGED),
            ("q", LinkState.FINISHED),
        ]

    def test_drafts_go_and_foreign_things_stay(self, folder: DataFolder, links: LiveLinks) -> None:
        (folder.live / ".p.new").symlink_to("../installed/p@1.0.0")
        (folder.live / ".hidden").write_text("")
        (folder.live / "Not A Project").write_text("")
        (folder.live / ".dir.new").mkdir()
        (folder.intents / ".p.json.tmp").write_text("{")
        (folder.intents / "README").write_text("")
        assert links.repair() == []
        assert names(folder.live) == [".dir.new", ".hidden", "Not A Project", "p"]
        assert names(folder.intents) == ["README", "p.json"]
