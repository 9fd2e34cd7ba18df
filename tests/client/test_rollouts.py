"""Rollouts over three nodes as the command line makes them: canaries, pauses, and a node that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from longshore_client import (
    CanaryStep,
    DeploymentStatus,
    FailurePolicy,
    RolloutStrategy,
    SyncClient,
    Terms,
    errors,
)
from tests.faults.invariants import Stores
from tests.faults.nodes import Nursery
from tests.faults.stores import migrate, variables
from tests.services.etcd_cluster import EtcdCluster
from tests.services.minio_service import MinioService
from tests.services.postgres_service import PostgresService

from .command_line import Ran, Run

NODES = ("web-1", "web-2", "web-3")


class Fleet:
    """Three nodes at ``address``; the last one takes no release while ``broken`` is there."""

    def __init__(self, address: str, broken: Path) -> None:
        self.address = address
        self.broken = broken


@pytest.fixture(scope="module")
def nodes(
    nursery: Nursery,
    postgres_service: PostgresService,
    minio_service: MinioService,
    etcd_cluster: EtcdCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    broken = folder / "broken"
    hook = {"name": "disk", "when": "before_switch", "command": ["sh", "-c", f"test ! -e {broken}"]}
    with (
        postgres_service.fresh_database() as database,
        minio_service.fresh_bucket() as bucket,
        etcd_cluster.fresh_prefix() as prefix,
        asyncio.Runner() as runner,
    ):
        stores = Stores(postgres_service.url(database), minio_service.url(bucket))
        runner.run(migrate(stores.database_url))
        stack = AsyncExitStack()
        started = []
        for name in NODES:
            env = {
                **variables(stores, etcd_cluster.url(prefix)),
                "LONGSHORE_NODE__NAME": name,
                "LONGSHORE_NODE__HOOKS": json.dumps([hook] if name == NODES[-1] else []),
            }
            started.append(runner.run(stack.enter_async_context(nursery.serve(folder / name, env=env))))
        yield Fleet(started[0].address, broken)
        runner.run(stack.aclose())


@pytest.fixture
def fleet(nodes: Fleet) -> Iterator[Fleet]:
    """The nodes, all of them well again behind the test."""
    yield nodes
    nodes.broken.unlink(missing_ok=True)


@pytest.fixture
def ask(run: Run, fleet: Fleet) -> Run:
    """Run the program against the fleet."""

    def ask_with(*arguments: str | Path) -> Ran:
        return run("--server", fleet.address, *arguments)

    return ask_with


def id_of(made: Ran) -> str:
    """What a command told on standard error that it has made."""
    return made.err.split()[1]


def test_a_canary_waits_for_a_person(ask: Run, project: str, tree: Path) -> None:
    deployed = ask("deploy", tree, "-p", project, "--canary", "1", "--canary", "60%", "--at-once", "1")
    assert deployed.code == 0
    canary = id_of(deployed)
    gate = "canary step 1 of 2: 1 of 3 nodes"
    assert deployed.out == (
        f"{project} 1.0.0 is rolling out in default ({gate}) and waits for a person: "
        f"longshore promote {canary}\n"
    )
    shown = ask("get", canary).out
    assert "canary 1 node until promoted, 60 % until promoted; then 1 node at once" in shown
    assert f"{gate}; waits for `longshore promote {canary[:8]}`" in shown
    assert "live on 1/3, 2 to come" in shown
    assert "rolling out (canary 1/2)" in ask("list", project).out
    unasked = ask("promote", canary)
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    promoted = ask("promote", canary, "--yes")
    assert (promoted.code, "canary step 2 of 2: 2 of 3 nodes" in promoted.out) == (0, True)
    promoted = ask("promote", canary[:8], "--yes")
    assert (promoted.code, promoted.out) == (0, f"{project} 1.0.0 is live in default on 3 nodes\n")
    assert "waits for nobody" in ask("promote", canary, "--yes").err


def test_a_canary_that_waits_for_a_time_goes_on_by_itself(ask: Run, project: str, tree: Path) -> None:
    deployed = ask("deploy", tree, "-p", project, "--canary", "1:1s")
    assert (deployed.code, deployed.out) == (0, f"{project} 1.0.0 is live in default on 3 nodes\n")
    assert "Canary step 1 of 1 reached" in deployed.err
    assert "Canary step 1 of 1 passed" in deployed.err


def test_a_pause(ask: Run, project: str, tree: Path) -> None:
    canary = id_of(ask("deploy", tree, "-p", project, "--canary", "1"))
    paused = ask("pause", canary[:8], "--reason", "errors on web-1")
    assert (paused.code, "paused by anonymous (errors on web-1)" in paused.out) == (0, True)
    assert f"longshore resume {canary}" in paused.out
    assert ask("pause", canary, "-q").code == 0
    watched = ask("promote", canary, "--yes")
    assert "Accepted" not in watched.err, "what was told before is not told again"
    assert (watched.code, watched.out) == (
        0,
        f"{project} 1.0.0 in default is paused by anonymous (errors on web-1) and waits for a person: "
        f"longshore resume {canary}\n",
    )
    assert ask("list", project, "--status", "paused", "-q").out == f"{canary}\n"
    assert "errors on web-1" in ask("get", canary).out
    resumed = ask("resume", canary[:8])
    assert (resumed.code, resumed.out) == (0, f"{project} 1.0.0 is live in default on 3 nodes\n")
    late = ask("pause", canary)
    assert (late.code, "longshore get" in late.err) == (4, True)


def test_a_node_that_may_fail(ask: Run, fleet: Fleet, project: str, tree: Path) -> None:
    fleet.broken.touch()
    deployed = ask("deploy", tree, "-p", project, "--max-failed", "1")
    assert (deployed.code, deployed.out) == (9, f"{project} 1.0.0 is live in default on 2 of 3 nodes\n")
    partial = id_of(deployed)
    warning = deployed.err[deployed.err.index("warning:") :].splitlines()
    assert warning[0] == "warning: 1 of 3 nodes failed"
    assert "web-3 failed: " in warning[1]
    assert f"`longshore retry {partial[:8]}` tries them at once" in warning[-1]
    assert ask("watch", partial).code == 9
    quiet = ask("watch", partial, "-q")
    assert (quiet.code, quiet.out) == (9, "partial\n")
    assert "live (partial)" in ask("list", project).out
    (told,) = ask("list", project, "--status", "partial", "-o", "json").objects
    assert told["deployment_id"] == partial
    with SyncClient(fleet.address) as client:
        ended = client.wait(partial)
    assert (ended.status, ended.node_counts.failed) == (DeploymentStatus.PARTIAL, 1)
    fleet.broken.unlink()
    retried = ask("retry", partial)
    assert (retried.code, retried.out) == (0, f"{project} 1.0.0 is live in default on 3 nodes\n")


def test_nodes_are_kept_as_they_are(ask: Run, fleet: Fleet, project: str, tree: Path) -> None:
    fleet.broken.touch()
    failed = ask("deploy", tree, "-p", project, "--on-failure", "keep")
    assert failed.code == 1
    assert "web-3 failed: " in failed.err
    assert "kept as they are" in failed.err
    assert "nodes are kept as they are" in ask("get", id_of(failed)).out


def test_what_is_set_for_a_place(ask: Run, fleet: Fleet, project: str, tree: Path) -> None:
    ask("deploy", tree, "-p", project)
    shown = ask("strategy", project)
    assert (shown.code, "all nodes at once (default)" in shown.out) == (0, True)
    assert "taken back to what is live (default)" in shown.out
    given = ["--canary", "1", "--at-once", "50%", "--on-failure", "keep"]
    assert (
        "canary 1 node until promoted; then 50 % of the nodes at once" in ask("strategy", project, *given).out
    )
    assert "nodes are kept as they are\n" in ask("strategy", project).out
    waiting = ask("deploy-release", project, "1.0.0")
    assert (waiting.code, "canary step 1 of 1" in waiting.out) == (0, True)
    at_once = ask("deploy-release", project, "1.0.0", "--at-once", "all", "--queue", "supersede")
    assert (at_once.code, at_once.out) == (0, f"{project} 1.0.0 is live in default on 3 nodes\n")
    back = ask("strategy", project, "--default").out
    assert (back.count("(default)"), "all nodes at once" in back) == (2, True)
    assert ask("strategy", project, "--default", "--canary", "1").code == 2
    assert ask("strategy", project, "-e", "nowhere").code == 3
    assert ask("strategy", "no-such-project").code == 3
    steps = (CanaryStep(nodes=1), CanaryStep(percent=100))
    with SyncClient(fleet.address) as client:
        place = client.set_rollout(project, strategy=RolloutStrategy(canary_steps=steps))
        assert (place.strategy, place.failure_policy) == (RolloutStrategy(canary_steps=steps), None)
        terms = Terms(strategy=RolloutStrategy(), failure_policy=FailurePolicy.KEEP)
        made = client.deploy_release(project, "1.0.0", terms=terms)
        ended = client.wait(made.deployment_id)
        assert (ended.strategy, ended.failure_policy) == (RolloutStrategy(), FailurePolicy.KEEP)
        with pytest.raises(ValueError, match="what is to be set"):
            client.set_rollout(project)


def test_an_undeploy_and_a_rollback_go_over_the_nodes_so(
    ask: Run, fleet: Fleet, project: str, tree: Path
) -> None:
    ask("deploy", tree, "-p", project)
    off = ask("undeploy", project, "--yes", "--canary", "1", "-q")
    assert off.code == 0
    assert "taken off 1/3, 2 to come" in ask("get", off.out.strip()).out
    gone = ask("promote", off.out.strip(), "--yes")
    assert (gone.code, gone.out) == (0, f"{project} is off the nodes of default: 3 nodes\n")
    back = ask("rollback", project, "--canary", "2")
    assert (back.code, "canary step 1 of 1: 2 of 3 nodes" in back.out) == (0, True)
    with SyncClient(fleet.address) as client:
        rollback = client.get(id_of(back))
        paused = client.pause(rollback.deployment_id, reason="lunch")
        assert (paused.paused_by, paused.pause_reason) == ("anonymous", "lunch")
        assert client.resume(rollback.deployment_id).paused_by == ""
        client.promote(rollback.deployment_id, rollback.waiting_gate_id)
        assert client.wait(rollback.deployment_id).node_counts.live == 3
        with pytest.raises(errors.StatusConflict):
            client.resume(rollback.deployment_id)


def test_what_is_no_strategy_is_refused_before_anything_is_sent(ask: Run, project: str, tree: Path) -> None:
    for given, why in (
        (["--canary", "2", "--canary", "1"], "--canary: "),
        (["--canary", "1:8d"], "--canary: "),
        (["--failure-domain", "no such label"], "--failure-domain: "),
    ):
        refused = ask("deploy", tree, "-p", project, *given)
        assert (refused.code, why in refused.err) == (4, True), refused.err
    assert ask("list", project, "-q").out == ""
