"""What Prometheus reads of a node: names and values after real work, and nothing that callers choose."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.errors import Misconfigured
from tests.deploy.queries import queries
from tests.services.certificates import LOCAL_NAMES, Authority

from .calls import deploy, deploy_to_end, follow, new_id, refused
from .contents import canonical_tar, small_tree
from .running import RunningNode, StartNode, embedded

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


async def read_until(node: RunningNode, fits: Callable[[Samples], bool]) -> Samples:
    """What is told as soon as it fits."""
    async with asyncio.timeout(20):
        while not fits(samples := await read(node)):
            await asyncio.sleep(0.05)
    return samples


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


async def test_what_is_cleaned_up_is_counted(start_node: StartNode) -> None:
    collecting = {"every_s": 0.2, "keep_unnamed_s": 0}
    async with start_node(metrics=ANYWHERE, collecting=collecting) as node:
        for text in ("one", "two"):
            await deploy_to_end(node, canonical_tar(small_tree(text)))
        await node.deployments.DeletePayload(
            pb.DeletePayloadRequest(project="netops", version="1.0.0", force=True)
        )
        async with asyncio.timeout(30):
            while not value(
                samples := await read(node), "longshore_collected_total", what="payloads_dropped"
            ):
                await asyncio.sleep(0.05)
    kinds = {dict(labels)["what"] for name, labels in samples if name == "longshore_collected_total"}
    assert {"uploads_given_up", "drafts_dropped", "pack_files_dropped", "staging_folders"} <= kinds


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


@embedded
async def test_whoever_holds_connections_takes_few_places(start_node: StartNode) -> None:
    async with start_node(metrics=ANYWHERE) as node:
        host, _, port = node.node.metrics_address.rpartition(":")

        def held() -> int:
            """How many of many begun requests are waited for."""
            with ExitStack() as stack:
                connections = [socket.create_connection((host, int(port)), timeout=20) for _ in range(30)]
                for connection in connections:
                    stack.enter_context(connection)
                    with suppress(OSError):
                        connection.sendall(b"GET /metrics HTTP/1.1\r\n")
                return sum(map(is_waited_for, connections))

        assert await asyncio.to_thread(held) == 4
        # A thread of each has to see that it is gone.
        async with asyncio.timeout(10):
            while not await read_if_let_in(node):
                await asyncio.sleep(0.01)


async def read_if_let_in(node: RunningNode) -> bool:
    try:
        return bool(await read(node))
    except ConnectionError:
        return False


def is_waited_for(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


async def test_the_standing_of_all_is_told(start_node: StartNode) -> None:
    async with start_node(metrics=ANYWHERE) as node:
        await deploy_to_end(node, canonical_tar(small_tree("one")))
        alive = ("longshore_nodes", (("state", "alive"),))
        samples = await read_until(node, lambda samples: samples.get(alive) == 1)
    assert value(samples, "longshore_nodes", state="away") == 0
    assert value(samples, "longshore_nodes", state="cordoned") == 0
    assert value(samples, "longshore_payloads_damaged") == 0
    assert value(samples, "longshore_activations_total", outcome="live") == 1
    assert value(samples, "longshore_data_free_bytes") > 0
    for dependency in ("database", "blobs", "coordination"):
        assert value(samples, "longshore_dependency_up", dependency=dependency) == 1


async def test_a_node_tells_all_that_dashboard_and_alerts_read(start_node: StartNode, tmp_path: Path) -> None:
    pair = Authority(tmp_path / "authority").issue("server", hosts=LOCAL_NAMES)
    tls = {"cert_file": pair.cert_file, "key_file": pair.key_file}
    async with start_node(metrics=ANYWHERE, tls=tls, access={"enabled": True}) as node:
        url = f"http://{node.node.metrics_address}/metrics"
        told = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read().decode())
        samples = await read(node)
    # Those that have nothing to tell yet have their name and type all the same.
    families = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
    names = {selector.metric for query in queries() for selector in query.selectors} - {"up"}
    assert {name.removesuffix("_bucket").removesuffix("_count") for name in names} <= families
    expires = datetime.fromtimestamp(value(samples, "longshore_certificate_expiry_timestamp_seconds"), UTC)
    assert timedelta(hours=22) < expires - datetime.now(UTC) <= timedelta(days=1)
