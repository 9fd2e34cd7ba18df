"""Verifications beside other work: rollouts, a node that is killed, nodes that are away, hooks that fail."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from sqlalchemy import update

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.catalogue import tables

from .calls import deploy, deploy_to_end, ended, refusal_in, refused
from .calls import until as seen
from .contents import canonical_tar, installed, small_tree
from .hooked import Journal, rolling
from .running import StartNode, embedded, services
from .verified import all_ended, ask, change, differences, open_up, status_of, told, until, verified

S = grpc.StatusCode
TREE = small_tree()


def changed(tree: Path) -> None:
    change(tree / "README.md", b"two")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@embedded
class TestBesideOtherWork:
    async def test_a_rollout_is_waited_for(self, start_node: StartNode, journal: Journal) -> None:
        hook = journal.hook("migrate", "before_switch", journal.waits)
        async with start_node(node={"hooks": [hook]}) as node:
            await deploy_to_end(node, canonical_tar(TREE))
            journal.hold.touch()
            deployment = await deploy(node, canonical_tar(small_tree("next")))
            await journal.until(lambda lines: len(lines) == 2)
            ident = await ask(node)
            await rolling(node, deployment)
            assert [status_of(one) for one in (await told(node, ident)).nodes] == ["PENDING"]
            with refused(S.ABORTED, "CONFLICT") as why:
                await ask(node)
            assert f"look at verification {ident}" in why.message
            assert (why.retry_after_s or 0) > 0
            assert await ask(node, verification_id=ident) == ident
            journal.hold.unlink()
            (found,) = (await until(node, ident, all_ended)).nodes
            assert (status_of(found), found.version) == ("INTACT", "1.0.1")
            assert status_of(await verified(node)) == "INTACT"

    async def test_killed_in_a_repair_it_goes_on(self, start_node: StartNode, journal: Journal) -> None:
        hook = journal.hook("migrate", "before_switch", journal.waits)
        async with start_node(node={"hooks": [hook]}) as node:
            await deploy_to_end(node, canonical_tar(TREE))
            open_up(node.live("netops"))
            changed(node.live("netops"))
            journal.hold.touch()
            ident = await ask(node, repair=True)
            await journal.until(lambda lines: len(lines) == 2)
            assert [status_of(one) for one in (await told(node, ident)).nodes] == ["PENDING"]
        journal.hold.unlink()
        async with start_node(node={"hooks": [hook]}) as node:
            (found,) = (await until(node, ident, all_ended)).nodes
            assert (status_of(found), differences(found)) == ("REPAIRED", {"README.md": "CHANGED"})
            assert installed(node.live("netops")) == TREE

    async def test_a_repair_that_fails_is_told(self, start_node: StartNode, journal: Journal) -> None:
        hook = journal.hook("drain", "before_switch", "[ $(wc -l < $JOURNAL) = 1 ]")
        async with start_node(node={"hooks": [hook]}) as node:
            await deploy_to_end(node, canonical_tar(TREE))
            open_up(node.live("netops"))
            changed(node.live("netops"))
            found = await verified(node, repair=True)
            assert (status_of(found), differences(found)) == ("FAILED", {"README.md": "CHANGED"})
            assert "hook 'drain' (before the switch) ended with exit code 1" in found.message
            assert node.live("netops").name == "netops@1.0.0"

    async def test_what_a_failed_deployment_left_is_compared_with_its_own_release(
        self, start_node: StartNode, journal: Journal
    ) -> None:
        hook = journal.hook("drain", "before_switch", "[ $LONGSHORE_VERSION = 1.0.0 ]")
        async with start_node(node={"hooks": [hook]}) as node:
            await deploy_to_end(node, canonical_tar(TREE))
            failed = await deploy(
                node, canonical_tar(small_tree("next")), failure_policy=d.FAILURE_POLICY_KEEP
            )
            assert (await ended(node, failed.deployment_id)).status == d.DEPLOYMENT_STATUS_FAILED
            found = await verified(node)
            assert (status_of(found), found.version) == ("INTACT", "1.0.0")
            open_up(node.live("netops"))
            changed(node.live("netops"))
            found = await verified(node, repair=True)
            assert (status_of(found), differences(found)) == ("FAILED", {"README.md": "CHANGED"})
            assert "what this node is assigned failed here, so mend that first" in found.message


@services
class TestFleet:
    async def test_one_that_is_away_looks_when_it_is_back_and_one_that_is_forgotten_never(
        self, start_node: StartNode
    ) -> None:
        async with start_node("a") as a:
            async with start_node("b") as b, start_node("c"):
                await deploy_to_end(a, canonical_tar(TREE))
                open_up(b.live("netops"))
                changed(b.live("netops"))
            # Of two who ask at once one is told to look at the other's.
            asked = await asyncio.gather(ask(a), ask(a), return_exceptions=True)
            (ident,) = [one for one in asked if isinstance(one, str)]
            (error,) = [one for one in asked if isinstance(one, grpc.aio.AioRpcError)]
            assert ident in refusal_in(error, S.ABORTED, "CONFLICT").message
            found = await until(a, ident, lambda now: now.nodes[0].HasField("end_time"))
            assert [(one.node_name, status_of(one)) for one in found.nodes] == [
                *(("a", "INTACT"), ("b", "PENDING"), ("c", "PENDING"))
            ]
            # Those that are away for long keep nobody from asking.
            async with a.catalogue.transaction() as transaction:
                long_ago = await transaction.now() - timedelta(minutes=3)
                away = tables.node.c.name != "a"
                await transaction.execute(update(tables.node).where(away).values(report_time=long_ago))
            await ask(a)
            async with asyncio.timeout(30):
                while True:
                    try:
                        await a.cluster.RemoveNode(cluster.RemoveNodeRequest(node_name="c"))
                        break
                    except grpc.aio.AioRpcError:
                        # Its lease has not ended.
                        await asyncio.sleep(0.1)
            async with start_node("b"):
                found = await until(a, ident, all_ended)
                assert [(one.node_name, status_of(one)) for one in found.nodes] == [
                    *(("a", "INTACT"), ("b", "DIFFERS"))
                ]

    async def test_nothing_is_built_again_while_a_rollout_is_under_way(self, start_node: StartNode) -> None:
        async with start_node("a") as a, start_node("b"):
            await deploy_to_end(a, canonical_tar(TREE))
            strategy = d.RolloutStrategy(canary_steps=[d.CanaryStep(nodes=1)])
            canary = await deploy(a, canonical_tar(small_tree("next")), strategy=strategy)
            waiting = await seen(a, canary.deployment_id, lambda now: now.waiting_gate_id)
            open_up(a.live("netops"))
            change(a.live("netops") / "README.md", b"changed")
            ident = await ask(a, repair=True)
            found = await until(a, ident, lambda now: now.nodes[0].message)
            assert status_of(found.nodes[0]) == "PENDING"
            assert "when the rollout that is under way has ended" in found.nodes[0].message
            await a.deployments.PromoteDeployment(
                pb.PromoteDeploymentRequest(
                    deployment_id=canary.deployment_id, gate_id=waiting.waiting_gate_id
                )
            )
            assert (await ended(a, canary.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
            found = await until(a, ident, all_ended)
            assert [status_of(one) for one in found.nodes] == ["REPAIRED", "INTACT"]
            assert installed(a.live("netops")) == small_tree("next")
