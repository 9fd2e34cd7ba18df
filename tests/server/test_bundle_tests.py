"""The tests that releases bring along, run on nodes whose settings say so, before anything is switched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.disk import InstalledTrees
from tests.bundles.trees import File

from .calls import deploy, deploy_to_end, ended, events_of, new_id
from .hooked import Journal, activation, alive, links_of, runs, told
from .packed import pack, skill
from .running import RunningNode, StartNode, embedded

pytestmark = embedded

RUN: dict[str, Any] = {"bundle_tests": {"run": True, "timeout_s": 20}}
FINE = [("tests of netops 1.0.0", "ended with exit code 0", False)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


async def failure(node: RunningNode, payload: bytes) -> d.Deployment:
    """Deploy what fails; nothing is live then, and nothing is left in staging."""
    failed = await ended(node, (await deploy(node, payload)).deployment_id)
    assert failed.status == d.DEPLOYMENT_STATUS_FAILED
    assert not node.live("netops").exists()
    assert node.staged == []
    return failed


async def test_a_skill_is_tested_in_a_copy_of_its_tree(start_node: StartNode, journal: Journal) -> None:
    tests = (
        f"(pwd; ls; echo $LONGSHORE_VERSION $LONGSHORE_TREE) > {journal.path}"
        "; echo noise > report.txt; echo more >> SKILL.md; mkdir cache"
    )
    async with start_node(node=RUN) as node:
        done = await deploy_to_end(node, skill("1.0.0", tests))
        folder, *names, last = journal.lines
        assert names == ["SKILL.md", "execute.sh", "test.sh"]
        assert last == f"1.0.0 {folder}"
        assert Path(folder).parent == node.data_dir.resolve() / "staging"
        assert node.staged == []
        assert sorted(path.name for path in node.live("netops").iterdir()) == names
        assert told(await runs(node, done)) == FINE
        outputs = [
            output
            for event in await events_of(node, done.deployment_id)
            for output in event.hook_output.outputs
        ]
        assert outputs[-1].hook == "tests of netops 1.0.0"
        assert outputs[-1].ended


async def test_a_packs_command_fails_the_activation(start_node: StartNode) -> None:
    files = {"check": File(b"#!/bin/sh\necho looking at $1\nexit 3\n", executable=True)}
    async with start_node(node=RUN) as node:
        failed = await failure(node, pack("1.0.0", files=files, tests="./check 'two words'"))
        assert (await activation(node, failed)).message == (
            "the tests of netops 1.0.0 ended with exit code 3 (its last line: looking at two words); "
            "nothing was switched"
        )


async def test_tests_that_hang_are_ended_with_what_they_began(
    start_node: StartNode, journal: Journal
) -> None:
    tests = f"sleep 600 & echo $! > {journal.path}; sleep 600"
    hasty = {"bundle_tests": {"run": True, "timeout_s": 0.5}}
    async with start_node(node=hasty) as node:
        failed = await failure(node, skill("1.0.0", tests))
        assert "tests of netops 1.0.0 took longer than 0.5 s and was ended" in failed.error.message
        assert not alive(int(journal.lines[0]))


async def test_a_child_does_not_outlive_tests_that_passed(start_node: StartNode, journal: Journal) -> None:
    async with start_node(node=RUN) as node:
        await deploy_to_end(node, skill("1.0.0", f"sleep 600 & echo $! > {journal.path}"))
        assert not alive(int(journal.lines[0]))


async def test_tests_that_write_into_the_tree_itself(start_node: StartNode) -> None:
    tests = "cd ../../installed/netops@1.0.0 && chmod u+w . && rm -f execute.sh"
    async with start_node(node=RUN) as node:
        failed = await failure(node, skill("1.0.0", tests))
        assert "the tests of netops 1.0.0 changed the installed tree" in failed.error.message
        # What goes live in the end is the release.
        done = await deploy_to_end(node, skill("1.0.0", tests), skip_tests=True)
        assert done.tests_skipped
        (tree,) = [one for one in InstalledTrees(links_of(node)._folder).trees("netops") if one.number == 1]
        assert node.live("netops") == tree.path


async def test_not_where_nobody_asked_for_it(start_node: StartNode) -> None:
    fails = skill("1.0.0", "exit 1")
    async with start_node() as node:
        assert told(await runs(node, await deploy_to_end(node, fails))) == []
    async with start_node("another", node=RUN) as node:
        assert told(await runs(node, await deploy_to_end(node, fails, skip_tests=True))) == []
        await deploy_to_end(node, skill("1.0.1", "exit 1", executable=False))
        back = pb.RollbackRequest(deployment_id=new_id(), project="netops")
        done = await ended(node, (await node.deployments.Rollback(back)).deployment.deployment_id)
        assert (done.status, node.live("netops").name) == (d.DEPLOYMENT_STATUS_SUCCEEDED, "netops@1.0.0")


async def test_a_rollback_to_what_was_never_live_is_tested(start_node: StartNode) -> None:
    async with start_node(node=RUN) as node:
        failed = await failure(node, skill("1.0.0", "exit 3"))
        back = pb.RollbackRequest(deployment_id=new_id(), project="netops", version=failed.version)
        again = await ended(node, (await node.deployments.Rollback(back)).deployment.deployment_id)
        assert again.status == d.DEPLOYMENT_STATUS_FAILED
        assert "tests of netops 1.0.0 ended with exit code 3" in again.error.message
        # Going back to what went live without them runs none.
        await deploy_to_end(node, skill("2.0.0", "exit 3"), skip_tests=True)
        await deploy_to_end(node, skill("3.0.0", "exit 0"))
        back = pb.RollbackRequest(deployment_id=new_id(), project="netops", version="2.0.0")
        done = await ended(node, (await node.deployments.Rollback(back)).deployment.deployment_id)
        assert done.status == d.DEPLOYMENT_STATUS_SUCCEEDED


async def test_killed_in_the_middle_it_tests_again_and_once_passed_never(
    start_node: StartNode, journal: Journal, tmp_path: Path
) -> None:
    tests = f"echo tested >> {journal.path}; {journal.waits}"
    held = tmp_path / "held"
    then = f"echo drained >> {journal.path}; while [ -e {held} ]; do sleep 0.01; done"
    drains = {**RUN, "hooks": [{"when": "before_switch", "command": ["sh", "-c", then]}]}
    journal.hold.touch()
    held.touch()
    async with start_node(node=drains) as node:
        deployment = await deploy(node, skill("1.0.0", tests))
        await journal.until(lambda lines: lines == ["tested"])
    journal.hold.unlink()
    async with start_node(node=drains):
        await journal.until(lambda lines: lines == ["tested", "tested", "drained"])
    held.unlink()
    async with start_node(node=drains) as node:
        await ended(node, deployment.deployment_id)
        assert journal.lines == ["tested", "tested", "drained", "drained"]
        assert node.live("netops").name == "netops@1.0.0"
