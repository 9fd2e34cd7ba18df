"""A node that is away for three releases comes back, and has the newest, and nothing of what it missed.

One was killed and is waited for in vain, so that each rollout goes live without it; what it failed at it
tries as soon as it is back. Another one was cordoned before it was stopped, and is not waited for. Their
activation rows and the audit trail tell what became of them.
"""

from __future__ import annotations

from longshore_client import DeploymentStatus, RolloutStrategy, Terms
from tests.bundles.trees import File
from tests.faults.calls import PROJECT
from tests.faults.trees import V1

from .fleet import ALL_ROLES, Fleet, activations, audit, pieces

RELEASES = [{**V1, "bin/run": File(b"release %d" % number, executable=True)} for number in range(4)]
IMPATIENT = {"LONGSHORE_ROLLOUT__PROGRESS_DEADLINE_S": "3", "LONGSHORE_POLL_S": "0.3"}


async def test_three_releases(fleet: Fleet) -> None:
    await fleet.start("a", "b", roles=ALL_ROLES, env=IMPATIENT)
    await fleet.start("killed", "cordoned", roles="install")
    await fleet.release(RELEASES[0])
    async with fleet.client as client:
        await client.cordon("cordoned", "new disk")
        for name in ("killed", "cordoned"):
            await fleet.nodes[name].kill()
        terms = Terms(strategy=RolloutStrategy(max_failed_nodes=1))
        for tree in RELEASES[1:]:
            begun = await client.deploy(pieces(tree), project=PROJECT, terms=terms)
            ended = await fleet.until(begun.deployment_id, lambda found: found.status.terminal)
            assert ended.status is DeploymentStatus.PARTIAL, ended
        await fleet.has(RELEASES[-1], "a", "b")
        await client.cordon("cordoned", "")
    await fleet.start("killed", "cordoned", roles="install")
    await fleet.has(RELEASES[-1])
    await fleet.until_state(
        lambda state: all(activations(state, name)[-1][1] == "LIVE" for name in fleet.nodes)
    )
    state = await fleet.check()
    missed = [("1.0.1", "FAILED"), ("1.0.2", "FAILED")]
    assert activations(state, "killed") == [("1.0.0", "LIVE"), *missed, ("1.0.3", "LIVE")]
    assert activations(state, "cordoned") == [("1.0.0", "LIVE"), ("1.0.3", "LIVE")]
    assert audit(state, principal="node:killed") == ["node.tried_again"]
    assert audit(state, principal="node:cordoned") == ["node.caught_up"]
    for name in ("killed", "cordoned"):
        installed = fleet.folder_of(name) / "installed"
        trees = sorted(path.name for path in installed.iterdir() if "~" not in path.name)
        assert trees == [f"{PROJECT}@1.0.0", f"{PROJECT}@1.0.3"]
