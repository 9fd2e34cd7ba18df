"""Hooks, restarts and checks of a node's own settings around a switch, on a running node."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.agent import reporting, switching

from .calls import deploy, deploy_to_end, ended, new_id
from .hooked import (
    Journal,
    activation,
    alive,
    around,
    fails_with,
    links_of,
    payload,
    rolling,
    runs,
    told,
)
from .running import StartNode, embedded

pytestmark = embedded


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


async def test_everything_around_a_switch_in_its_order(start_node: StartNode, journal: Journal) -> None:
    async with start_node(node=around(journal)) as node:
        first = await deploy_to_end(node, payload("1"))
        await deploy_to_end(node, payload("2"))
        assert journal.lines == [
            *("before 1.0.0 netops@1.0.0 ", "restart 1.0.0 netops@1.0.0 "),
            *("after 1.0.0 netops@1.0.0 ", "check 1.0.0 netops@1.0.0 "),
            *("before 1.0.1 netops@1.0.1 netops@1.0.0", "restart 1.0.1 netops@1.0.1 netops@1.0.0"),
            *("after 1.0.1 netops@1.0.1 netops@1.0.0", "check 1.0.1 netops@1.0.1 netops@1.0.0"),
        ]
        assert told(await runs(node, first)) == [
            *(("before", "ended with exit code 0", False), ("restart", "ended with exit code 0", False)),
            *(("after", "ended with exit code 0", False), ("check", "is healthy", False)),
        ]
        intent = links_of(node).intent("netops")
        assert intent is not None
        assert (intent.version, intent.trial) == ("1.0.1", None)


class TestBeforeTheSwitch:
    async def test_a_failure_leaves_what_is_live(self, start_node: StartNode, journal: Journal) -> None:
        fails = journal.hook(
            "drain", "before_switch", "echo one; echo boom >&2; [ $LONGSHORE_VERSION = 1.0.0 ]"
        )
        never = journal.hook("never", "before_switch")
        async with start_node(node={"hooks": [fails, never]}) as node:
            await deploy_to_end(node, payload("1"))
            before = links_of(node).intent("netops")
            failed = await fails_with(node, "2", "hook 'drain' (before the switch) ended with exit code 1")
            assert "(its last line: boom); nothing was switched" in failed.error.message
            assert node.live("netops").name == "netops@1.0.0"
            assert journal.lines[2:] == ["drain 1.0.1 netops@1.0.1 netops@1.0.0"]
            after = links_of(node).intent("netops")
            # The rollout then assigns again what is live, which no hook hears of.
            assert before is not None
            assert after is not None
            assert (after.tree, after.trial) == (before.tree, None)
            assert [run.lines for run in await runs(node, failed)] == [["one", "boom"]]


AFTER = {
    "hook": "hook 'after' (after the switch) ended with exit code 7",
    "restart": "hook 'restart' (restart) ended with exit code 7",
    "check": "check 'check' was not healthy within 0.5 s",
}


class TestAfterTheSwitch:
    @pytest.mark.parametrize("what", AFTER)
    async def test_a_failure_takes_the_old_tree_back(
        self, start_node: StartNode, journal: Journal, what: str
    ) -> None:
        def then(name: str) -> str:
            return "[ $LONGSHORE_VERSION != 1.0.1 ] || exit 7" if name == what else "true"

        settings = {
            "hooks": [journal.hook("after", "after_switch", then("hook"))],
            "restarts": [journal.restart(then("restart"))],
            "checks": [journal.check("check", then("check"))],
        }
        async with start_node(node=settings) as node:
            await deploy_to_end(node, payload("1"))
            failed = await fails_with(node, "2", AFTER[what])
            assert "; 1.0.0 is live again" in failed.error.message
            assert node.live("netops").name == "netops@1.0.0"
            # The old software runs again, once: the rollout's own way back finds nothing to do.
            assert journal.lines[-2:] == [
                "restart 1.0.0 netops@1.0.0 netops@1.0.1",
                "after 1.0.0 netops@1.0.0 netops@1.0.1",
            ]
            assert [run.hook for run in await runs(node, failed) if run.taking_back] == ["restart", "after"]
            intent = links_of(node).intent("netops")
            assert intent is not None
            assert (intent.version, intent.trial) == ("1.0.0", None)
            # And the next one is measured against it.
            fine = await deploy_to_end(node, payload("3"))
            assert (fine.version, node.live("netops").name) == ("1.0.2", "netops@1.0.2")
            assert journal.lines[-1] == "check 1.0.2 netops@1.0.2 netops@1.0.0"

    async def test_the_first_release_is_taken_off_again(
        self, start_node: StartNode, journal: Journal
    ) -> None:
        fails = journal.hook("after", "after_switch", "[ -z $LONGSHORE_VERSION ]")
        async with start_node(node={"hooks": [fails], "restarts": [journal.restart()]}) as node:
            failed = await fails_with(node, "1", "it was taken off again")
            assert not (node.data_dir / "live" / "netops").is_symlink()
            # There is nothing to restart.
            assert journal.lines == [
                *("restart 1.0.0 netops@1.0.0 ", "after 1.0.0 netops@1.0.0 ", "after nothing  netops@1.0.0"),
            ]
            assert failed.node_counts.live == 0

    async def test_old_software_that_does_not_start_is_told_and_tried_again(
        self, start_node: StartNode, journal: Journal
    ) -> None:
        """The node could not; the rollout's way back assigns it once more, and then it works."""
        starts = 'if [ $LONGSHORE_VERSION = 1.0.0 ]; then [ "$(wc -l < $JOURNAL)" != 3 ]; else false; fi'
        async with start_node(node={"restarts": [journal.restart(starts)]}) as node:
            await deploy_to_end(node, payload("1"))
            failed = await fails_with(node, "2", "1.0.0 is live again, but hook 'restart' (restart) ended")
            assert journal.lines == [
                *("restart 1.0.0 netops@1.0.0 ", "restart 1.0.1 netops@1.0.1 netops@1.0.0"),
                *("restart 1.0.0 netops@1.0.0 netops@1.0.1", "restart 1.0.0 netops@1.0.0 netops@1.0.0"),
            ]
            assert "could not be taken back" not in failed.status_message
            assert node.live("netops").name == "netops@1.0.0"

    @pytest.mark.parametrize("left", ["a trial that was won", "no intent"])
    async def test_the_way_back_leads_to_what_worked_last(
        self, start_node: StartNode, journal: Journal, left: str
    ) -> None:
        """A node that died between its report and the end of the trial, and one whose intent was removed."""
        hook = journal.hook("after", "after_switch", "[ $LONGSHORE_VERSION != 1.0.2 ]")
        async with start_node(node={"hooks": [hook]}) as node:
            for content in ("1", "2"):
                await deploy_to_end(node, payload(content))
            intent = node.data_dir / "intents" / "netops.json"
            if left == "no intent":
                intent.unlink()
            else:
                trial = {"version": "1.0.0", "tree": "netops@1.0.0", "failure": ""}
                intent.write_text(json.dumps({**json.loads(intent.read_text()), "trial": trial}))
            await fails_with(node, "3", "; 1.0.1 is live again")
            assert node.live("netops").name == "netops@1.0.1"
            assert journal.lines[-1] == "after 1.0.1 netops@1.0.1 netops@1.0.2"

    async def test_what_hangs_is_ended_with_all_that_it_began(
        self, start_node: StartNode, journal: Journal
    ) -> None:
        hangs = '[ $LONGSHORE_VERSION = 1.0.0 ] || { sleep 1000 & echo "pid $!" >> $JOURNAL; sleep 1000; }'
        hook = journal.hook("warm", "after_switch", hangs, timeout_s=0.3)
        async with start_node(node={"hooks": [hook]}) as node:
            await deploy_to_end(node, payload("1"))
            await fails_with(node, "2", "hook 'warm' (after the switch) took longer than 0.3 s and was ended")
            assert node.live("netops").name == "netops@1.0.0"
            (begun,) = [int(line[4:]) for line in journal.lines if line.startswith("pid ")]
            assert not alive(begun)


async def test_an_undeploy_runs_hooks_but_neither_restart_nor_checks(
    start_node: StartNode, journal: Journal
) -> None:
    async with start_node(node=around(journal)) as node:
        await deploy_to_end(node, payload("1"))
        begun = await node.deployments.Undeploy(pb.UndeployRequest(deployment_id=new_id(), project="netops"))
        gone = await ended(node, begun.deployment.deployment_id)
        assert gone.status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert not (node.data_dir / "live" / "netops").is_symlink()
        assert journal.lines[4:] == ["before nothing  netops@1.0.0", "after nothing  netops@1.0.0"]


async def test_other_projects_are_not_meant(start_node: StartNode, journal: Journal) -> None:
    settings = {
        "hooks": [journal.hook("before", "before_switch", project="web-*")],
        "restarts": [
            {"project": "netops", "restart": "none"},
            journal.restart(),
        ],
    }
    async with start_node(node=settings) as node:
        await deploy_to_end(node, payload("1"))
        assert journal.lines == []
        await deploy_to_end(node, payload("1"), project="web-1")
        assert [line.split()[0] for line in journal.lines] == ["before", "restart"]


async def test_what_is_live_already_is_not_switched(start_node: StartNode, journal: Journal) -> None:
    async with start_node(node=around(journal)) as node:
        await deploy_to_end(node, payload("1"))
        before = journal.lines
        again = await node.deployments.DeployRelease(
            pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="1.0.0")
        )
        assert (await ended(node, again.deployment.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert journal.lines == before


async def test_a_rollback_ends_a_hook_that_runs(start_node: StartNode, journal: Journal) -> None:
    waits = 'echo "pid $$" >> $JOURNAL; [ $LONGSHORE_VERSION = 1.0.0 ] || sleep 1000'
    async with start_node(node={"hooks": [journal.hook("after", "after_switch", waits)]}) as node:
        first = await deploy_to_end(node, payload("1"))
        second = await deploy(node, payload("2"))
        await journal.until(lambda lines: len(lines) == 4)
        pid = int(journal.lines[-1][4:])
        assert alive(pid)
        assert node.live("netops").name == "netops@1.0.1"
        back = await node.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
        assert (await ended(node, back.deployment.deployment_id)).version == "1.0.0"
        assert not alive(pid)
        assert node.live("netops").name == "netops@1.0.0"
        superseded = await ended(node, second.deployment_id)
        assert superseded.status == d.DEPLOYMENT_STATUS_SUPERSEDED
        assert told(await runs(node, superseded)) == [("after", "was broken off", False)]
        # The way back was a switch, with its hook.
        assert journal.lines[-2] == "after 1.0.0 netops@1.0.0 netops@1.0.1"
        assert first.version == "1.0.0"


async def test_a_node_that_runs_a_hook_for_long_is_not_given_up(
    start_node: StartNode, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_REPORT_SPACING_S", 0.05)
    monkeypatch.setattr(switching, "STILL_HERE_WITH_HOOKS_S", 0.1)
    hook = journal.hook("migrate", "before_switch", journal.waits)
    journal.hold.touch()
    async with start_node(node={"hooks": [hook]}, rollout={"progress_deadline_s": 1}) as node:
        deployment = await deploy(node, payload("1"))
        await journal.until(len)
        begun = await rolling(node, deployment)
        first = (await activation(node, begun)).report_time
        async with asyncio.timeout(20):
            # Three deadlines later it is still the node's.
            while (await activation(node, begun)).report_time - first < timedelta(seconds=3):
                await asyncio.sleep(0.05)
        journal.hold.unlink()
        assert (await ended(node, deployment.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


async def test_output_is_kept_while_it_comes(start_node: StartNode, journal: Journal) -> None:
    then = f"echo first; {journal.waits}; seq 5000; printf 'no end\\377'"
    journal.hold.touch()
    async with start_node(node={"hooks": [journal.hook("migrate", "before_switch", then)]}) as node:
        deployment = await deploy(node, payload("1"))
        await journal.until(len)
        begun = await rolling(node, deployment)
        async with asyncio.timeout(20):
            while not (seen := await runs(node, begun)) or not seen[0].lines:
                await asyncio.sleep(0.01)
        assert (list(seen[0].lines), seen[0].ended, seen[0].outcome) == (["first"], False, "")
        journal.hold.unlink()
        await ended(node, deployment.deployment_id)
        (run,) = await runs(node, begun)
        assert (run.ended, run.exit_code, run.line_count) == (True, 0, 5002)
        assert list(run.lines) == [*map(str, range(4802, 5001)), "no end\N{REPLACEMENT CHARACTER}"]
