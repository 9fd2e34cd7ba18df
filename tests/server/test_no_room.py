"""A node whose disk is short: old releases go first, and what does not fit is not even fetched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from longshore.v1 import deployment_pb2 as d
from longshore_server.disk import DataFolder
from tests.bundles.trees import File

from .calls import deploy, deploy_to_end, ended
from .contents import canonical_tar, random_bytes
from .hooked import Journal, activation
from .running import RunningNode, StartNode, embedded

pytestmark = embedded

MIB = 1 << 20
# What a tree of 4 MiB is taken to need: a tenth and 16 MiB more.
NEEDED = int(4 * MIB * 1.1) + 16 * MIB


def payload(number: int) -> bytes:
    return canonical_tar({"large": File(random_bytes(4 * MIB, number))})


def shrink(node: RunningNode, monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> None:
    """From now on so much is free, and what goes out of ``installed/`` makes it more."""
    installed = node.data_dir / "installed"

    def used() -> int:
        return sum(path.stat().st_size for path in installed.rglob("*/*") if path.is_file())

    before = used()
    monkeypatch.setattr(DataFolder, "free_bytes", lambda _: free_bytes + before - used())


def trees(node: RunningNode) -> set[str]:
    return {path.name for path in (node.data_dir / "installed").iterdir() if path.is_dir()}


async def test_old_releases_of_any_project_go_first(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_node() as node:
        for number, project in enumerate(["web", "web", "netops", "netops"]):
            await deploy_to_end(node, payload(number), project=project)
        shrink(node, monkeypatch, NEEDED - 5 * MIB)
        await deploy_to_end(node, payload(9))
        assert trees(node) == {"web@1.0.1", "netops@1.0.1", "netops@1.0.2"}
        assert {node.live(project).name for project in ("web", "netops")} == {"web@1.0.1", "netops@1.0.2"}


async def test_what_does_not_fit_is_refused_before_it_is_fetched(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    async with start_node(node={"hooks": [journal.hook("before", "before_switch")]}) as node:
        for number in range(2):
            await deploy_to_end(node, payload(number))
        recorded = await deploy(node, payload(2), project="other")
        await ended(node, recorded.deployment_id)
        shrink(node, monkeypatch, NEEDED - 20 * MIB)
        heard = journal.lines
        failed = await ended(node, (await deploy(node, payload(3))).deployment_id)
        assert failed.status == d.DEPLOYMENT_STATUS_FAILED
        words = (
            r"no room for netops 1\.0\.2: it needs (\d+) bytes, (\d+) are free in '.*', and (\d+) more would"
        )
        told = re.search(words, failed.error.message)
        assert told is not None
        assert [int(number) for number in told.groups()] == [NEEDED, NEEDED - 20 * MIB, 4 * MIB]
        # Nothing went in vain, nothing was begun.
        assert trees(node) == {"netops@1.0.0", "netops@1.0.1", "other@1.0.0"}
        assert node.live("netops").name == "netops@1.0.1"
        assert journal.lines == heard
        assert node.staged == []
        assert (await activation(node, failed)).fetched_bytes == 0
        monkeypatch.undo()
        assert (await deploy_to_end(node, payload(4))).version == "1.0.3"
