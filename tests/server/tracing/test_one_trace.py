"""A deployment is one trace: over the client, who takes its bytes, who drives it, and every node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from longshore_client import Client
from tests.bundles.trees import write_tree
from tests.client.fleet import Fleet
from tests.faults.invariants import Stores
from tests.faults.nodes import NodeProcess, Nursery
from tests.faults.stores import migrate, variables
from tests.server.contents import large_tree

from .receiver import Received, Receiver, sending_to

DEPLOY = "longshore.v1.DeploymentService/Deploy"


async def test_one_trace_over_client_and_fleet(
    receiver: Receiver,
    nursery: Nursery,
    postgres_database: str,
    s3_url: str,
    etcd_url: str,
    tmp_path: Path,
) -> None:
    await migrate(postgres_database)
    env = {
        **variables(Stores(postgres_database, s3_url), etcd_url),
        "LONGSHORE_TRACING__ENDPOINT": receiver.endpoint,
    }
    fleet = Fleet(nursery, tmp_path / "nodes", env)
    write_tree(tmp_path / "web", large_tree())
    provider = sending_to(receiver)
    async with (
        fleet.node("receiving", roles="receive") as receiving,
        fleet.node("driving", roles="control") as driving,
        fleet.node("here", roles="install") as here,
        fleet.node("there", roles="install") as there,
    ):
        async with Client(receiving.address, tracing=provider) as client:
            deployment = await client.deploy(tmp_path / "web", project="web")
            await client.wait(deployment.deployment_id)
        await asyncio.to_thread(provider.force_flush)
        spans = await receiver.until_told("rollout", "activation", "activation", DEPLOY, "upload", "deploy")

        (deploy,) = _of(spans, "deploy")
        told = [one for one in spans if one.trace_id == deploy.trace_id]
        (upload,), (received,) = _of(told, "upload"), _of(told, DEPLOY)
        assert (upload.parent_id, received.parent_id) == (deploy.span_id, upload.span_id)
        assert received.node == "receiving"
        assert received.facts["longshore.deployment_id"] == deployment.deployment_id
        stages = {
            one.name: one for one in told if one.parent_id == received.span_id and one.node == "receiving"
        }
        assert set(stages) == {
            *("upload.receive", "upload.store", "upload.examine", "upload.record"),
            "store.put",
        }
        # Many requests, one span.
        assert len(_of(told, "store.put")) == 1
        assert stages["store.put"].facts["longshore.requests"] >= 2
        assert (
            stages["store.put"].facts["longshore.bytes"]
            > stages["upload.store"].facts["longshore.stored_bytes"]
        )

        (rollout,) = _of(told, "rollout")
        assert (rollout.node, rollout.parent_id) == ("driving", received.span_id)
        assert rollout.facts["longshore.status"] == "SUCCEEDED"
        assert {one.node for one in _of(told, "rollout.step")} == {"driving"}

        activations = _of(told, "activation")
        assert sorted(one.node for one in activations) == ["here", "there"]
        for activation in activations:
            assert activation.parent_id == received.span_id
            assert activation.facts["longshore.outcome"] == "live"
            parts = [one for one in told if one.parent_id == activation.span_id]
            assert {one.name for one in parts} == {"activation.build", "activation.switch"}
            (build,) = _of(parts, "activation.build")
            (got,) = [one for one in told if one.parent_id == build.span_id]
            assert (got.name, got.node) == ("store.get", activation.node)
            assert got.facts["longshore.bytes"] >= build.facts["longshore.fetched_bytes"] > 0
        for node, event in (
            *((receiving, "deployment.recorded"), (receiving, "call.done"), (driving, "deployment.ended")),
            *((here, "activation.done"), (there, "activation.done")),
        ):
            assert deploy.trace_id in _named_in_log(node, event)


def _of(spans: Sequence[Received], name: str) -> list[Received]:
    return [one for one in spans if one.name == name]


def _named_in_log(node: NodeProcess, event: str) -> set[str]:
    lines = [json.loads(line) for line in node.stderr.splitlines() if line.startswith("{")]
    return {line.get("trace_id", "") for line in lines if line["event"] == event}
