"""A node that is killed while its hooks run ends with one release live, which is the one that is told."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from longshore.v1 import deployment_pb2 as d
from tests.server.calls import channel_to, deploy, deploy_to_end, ended
from tests.server.hooked import Journal, alive, payload
from tests.server.running import Stubs

from .nodes import NodeProcess, Nursery
from .trees import leftovers

D = d.DeploymentStatus


@pytest.fixture
def journal(place: Path) -> Journal:
    return Journal(place / "journal")


@pytest.fixture
def env(journal: Journal) -> dict[str, str]:
    """Hooks that tell which process they are, wait as long as they are held, and fail where they are to."""
    then = (
        'mark="$JOURNAL.$0.$LONGSHORE_VERSION"; echo "pid $$" >> $JOURNAL; '
        "while [ -e $mark.held ]; do sleep 0.01; done; [ ! -e $mark.fails ]"
    )
    hooks = [journal.hook("before", "before_switch", then), journal.hook("after", "after_switch", then)]
    return {"LONGSHORE_NODE__HOOKS": json.dumps(hooks), "LONGSHORE_POLL_S": "0.2"}


class Life:
    """One node's life, from kill to kill."""

    def __init__(self, nursery: Nursery, data_dir: Path, env: dict[str, str], journal: Journal) -> None:
        self._nursery = nursery
        self.data_dir = data_dir
        self._env = env
        self.journal = journal

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[tuple[NodeProcess, Stubs]]:
        async with (
            self._nursery.serve(self.data_dir, env=self._env) as node,
            channel_to(node.address) as stubs,
        ):
            yield node, stubs

    def mark(self, name: str) -> Path:
        """A file that tells a hook what to do."""
        return Path(f"{self.journal.path}.{name}")

    @property
    def intended(self) -> str:
        """What is to be live, and no longer on trial."""
        shown = json.loads((self.data_dir / "intents" / "netops.json").read_bytes())
        return f"netops@{shown['version']}" + (" on trial" if "trial" in shown else "")

    @property
    def live(self) -> str:
        return (self.data_dir / "live" / "netops").readlink().name

    @property
    def said(self) -> list[str]:
        """What hooks said, without their processes."""
        return [line for line in self.journal.lines if not line.startswith("pid ")]

    async def hangs_in(self, line: str, *, times: int = 1) -> int:
        """Wait until a hook that said ``line`` waits at the hold; its process."""

        def met(lines: list[str]) -> bool:
            return lines.count(line) >= times and len(lines) > 1 and lines[-1].startswith("pid ")

        await self.journal.until(met)
        return int(self.journal.lines[-1][4:])

    async def dies(self, node: NodeProcess, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """End the node, and see that the hook does not outlive it."""
        assert alive(pid)
        node.send(number)
        await node.ended()
        async with asyncio.timeout(10):
            while alive(pid):
                await asyncio.sleep(0.01)


@pytest.fixture
def life(nursery: Nursery, place: Path, env: dict[str, str], journal: Journal) -> Life:
    return Life(nursery, place / "node", env, journal)


BEFORE = "before 1.0.1 netops@1.0.1 netops@1.0.0"
AFTER = "after 1.0.1 netops@1.0.1 netops@1.0.0"
AGAIN = "after 1.0.0 netops@1.0.0 netops@1.0.1"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("where", [BEFORE, AFTER])
async def test_killed_in_a_hook_of_the_new_release(life: Life, where: str, *, fails: bool) -> None:
    hook = where.split()[0]
    life.mark(f"{hook}.1.0.1.held").touch()
    async with life.runs() as (node, stubs):
        await deploy_to_end(stubs, payload("1"))
        deployment = (await deploy(stubs, payload("2"))).deployment_id
        await life.dies(node, await life.hangs_in(where))
    assert life.live == ("netops@1.0.1" if where == AFTER else "netops@1.0.0")
    async with life.runs() as (_, stubs):
        await life.hangs_in(where, times=2)
        if fails:
            life.mark(f"{hook}.1.0.1.fails").touch()
        life.mark(f"{hook}.1.0.1.held").unlink()
        done = await ended(stubs, deployment)
        assert done.status == (D.DEPLOYMENT_STATUS_FAILED if fails else D.DEPLOYMENT_STATUS_SUCCEEDED)
        assert life.live == life.intended == ("netops@1.0.0" if fails else "netops@1.0.1")
    # What was broken off is begun anew, and nothing before it.
    assert (
        life.said[2:]
        == {
            (BEFORE, False): [BEFORE, BEFORE, AFTER],
            (BEFORE, True): [BEFORE, BEFORE],
            (AFTER, False): [BEFORE, AFTER, AFTER],
            (AFTER, True): [BEFORE, AFTER, AFTER, AGAIN],
        }[where, fails]
    )
    assert leftovers(life.data_dir) == []


async def test_a_node_that_is_stopped_goes_on_where_it_was(life: Life) -> None:
    life.mark("after.1.0.1.held").touch()
    async with life.runs() as (node, stubs):
        await deploy_to_end(stubs, payload("1"))
        deployment = (await deploy(stubs, payload("2"))).deployment_id
        await life.dies(node, await life.hangs_in(AFTER), signal.SIGTERM)
        assert (await node.ended()).status == 0
    async with life.runs() as (_, stubs):
        life.mark("after.1.0.1.held").unlink()
        assert (await ended(stubs, deployment)).status == D.DEPLOYMENT_STATUS_SUCCEEDED
    assert life.live == life.intended == "netops@1.0.1"
    assert life.said[2:] == [BEFORE, AFTER, AFTER]


@pytest.mark.parametrize("kills", [1, 2])
async def test_killed_while_the_old_release_is_made_live_again(life: Life, kills: int) -> None:
    life.mark("after.1.0.1.fails").touch()
    async with life.runs() as (node, stubs):
        await deploy_to_end(stubs, payload("1"))
        life.mark("after.1.0.0.held").touch()
        deployment = (await deploy(stubs, payload("2"))).deployment_id
        await life.dies(node, await life.hangs_in(AGAIN))
    assert (life.live, life.intended) == ("netops@1.0.0", "netops@1.0.0 on trial")
    # Said at the first deployment too: what it was before is not known any more.
    resumed = "after 1.0.0 netops@1.0.0 "
    for times in range(1, kills):
        async with life.runs() as (node, _):
            await life.dies(node, await life.hangs_in(resumed, times=1 + times))
    async with life.runs() as (_, stubs):
        life.mark("after.1.0.0.held").unlink()
        failed = await ended(stubs, deployment)
        assert failed.status == D.DEPLOYMENT_STATUS_FAILED
        why = "hook 'after' (after the switch) ended with exit code 1"
        assert f"{why}; 1.0.0 is live again" in failed.error.message
        assert life.live == life.intended == "netops@1.0.0"
    # The release that failed is not tried once more.
    assert life.said[2:] == [BEFORE, AFTER, AGAIN, *[resumed] * kills]
    assert leftovers(life.data_dir) == []
