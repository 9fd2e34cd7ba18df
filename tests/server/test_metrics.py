"""What Prometheus reads of a node: names and values after real work, and nothing that callers choose."""

from __future__ import annotations

import asyncio
import urllib.request

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.errors import Misconfigured

from .calls import deploy, deploy_to_end, follow, new_id, refused
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


ANYWHERE = {"listen": "127.0.0.1:0"}


async def read(node: RunningNode) -> Samples:
    def get() -> str:
        url = f"http://{node.node.metrics_address}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())

    text = await asyncio.to_thread(get)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


async def test_work_is_counted_and_measured(start_node: StartNode) -> None:
    data = canonical_tar(small_tree("one"))
    async with start_node(metrics=ANYWHERE) as node:
        await deploy_to_end(node, data)
        await deploy_to_end(node, data)
        with refused(grpc.StatusCode.NOT_FOUND, "RELEASE_NOT_FOUND"):
            await node.deployments.DeployRelease(
                pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="9.9.9")
            )
        samples = await read(node)
    assert value(samples, "longshore_uploads_total") == 2
    assert value(samples, "longshore_upload_bytes_total", what="payload") == 2 * len(data)
    assert value(samples, "longshore_upload_bytes_total", what="reused") >= len(data)
    assert 0 < value(samples, "longshore_upload_bytes_total", what="stored") < 2 * len(data)
    assert value(samples, "longshore_deployments_ended_total", kind="upload", outcome="succeeded") == 2
    for phase in ("upload", "queue", "rollout"):
        assert value(samples, "longshore_deployment_phase_seconds_count", phase=phase) == 2
    assert value(samples, "longshore_calls_total", method="Deploy", code="OK") == 2
    assert value(samples, "longshore_calls_total", method="DeployRelease", code="NOT_FOUND") == 1
    assert value(samples, "longshore_errors_total", reason="RELEASE_NOT_FOUND") == 1
    assert value(samples, "longshore_sql_statement_seconds_count") > 10
    assert value(samples, "longshore_blob_store_seconds_count", operation="put") >= 2
    assert value(samples, "longshore_blob_store_bytes_total", operation="put") > 0
    assert value(samples, "longshore_uploads_running") == 0
    assert value(samples, "longshore_uploads_waiting") == 0
    assert value(samples, "longshore_followers") == 0
    assert value(samples, "longshore_locks_waited_for") == 0
    assert {dict(labels)["name"] for name, labels in samples if name == "longshore_node_info"} == {"one"}
    # What callers choose would make new series without end.
    assert not [labels for _, labels in samples if "netops" in dict(labels).values()]


async def test_followers_are_counted(start_node: StartNode) -> None:
    async with start_node(metrics=ANYWHERE, node={"roles": ["receive", "control"]}) as node:
        deployment = (await deploy(node, canonical_tar(small_tree("one")))).deployment_id
        streams = [follow(node, deployment) for _ in range(3)]
        for stream in streams:
            await anext(stream)
        samples = await read(node)
        assert value(samples, "longshore_followers") == 3
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]


async def test_an_address_that_is_taken_is_named(start_node: StartNode) -> None:
    async with start_node("one", metrics=ANYWHERE) as node:
        taken = {"listen": node.node.metrics_address}
        with pytest.raises(Misconfigured, match=r"metrics\.listen"):
            async with start_node("two", metrics=taken):
                pass
