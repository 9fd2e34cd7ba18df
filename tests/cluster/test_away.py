"""A node that is away for three releases comes back, and has the newest, and nothing of what it missed.

One was killed and is waited for in vain, so that each rollout goes live without it; another one was cordoned
before it was stopped, and is not waited for. Their activation rows and the audit trail tell what became of
them.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from longshore_client import DeploymentStatus, RolloutStrategy, Terms
from longshore_storage.catalogue import open_catalogue, tables
from tests.bundles.trees import File
from tests.faults.calls import PROJECT
from tests.faults.trees import V1

from .fleet import ALL_ROLES, Fleet, activations, audit, pieces

RELEASES = [{**V1, "bin/run": File(b"release %d" % number, executable=True)} for number in range(4)]
IMPATIENT = {"LONGSHORE_ROLLOUT__PROGRESS_DEADLINE_S": "3", "LONGSHORE_POLL_S": "0.3"}


async def the_pause_is_over(fleet: Fleet) -> None:
    """A node tries again after a minute what it failed at: let that have been a while ago."""
    catalogue = open_catalogue(fleet.stores.database_url)
    async with catalogue.transaction() as transaction:
        await transaction.execute(
            update(tables.activation)
            .where(tables.activation.c.status == "FAILED")
            .values(end_time=await transaction.now() - timedelta(minutes=2))
        )
    await catalogue.close()


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
    await the_pause_is_over(fleet)
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
