"""Requests whose one message is begun and never ended: few are waited for, and none for long."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs
from structlog.typing import EventDict

from longshore.v1 import cluster_service_pb2 as cluster
from longshore_server.rpc import waiting_messages
from tests.server.access.as_caller import as_caller
from tests.server.access.conftest import access as access
from tests.server.access.conftest import issuer as issuer
from tests.server.access.conftest import policy_file as policy_file
from tests.server.access.issuer import Issuer
from tests.server.access.policies import write_policy
from tests.server.access.test_shares import FILE
from tests.server.calls import deploy
from tests.server.contents import random_bytes
from tests.server.running import RunningNode, StartNode, embedded

from . import frames as h2

pytestmark = embedded
INFO = "/longshore.v1.ClusterService/GetServerInfo"
CHECK = "/grpc.health.v1.Health/Check"
BEGUN = b"\0" + (4 << 20).to_bytes(4, "big") + bytes(1000)
FRAME_HEADER = 9


def ended(received: bytearray) -> int:
    """How many calls were answered to their end."""
    count = at = 0
    while at + FRAME_HEADER <= len(received):
        length, kind, flags = int.from_bytes(received[at : at + 3], "big"), received[at + 3], received[at + 4]
        count += kind == h2.HEADERS and bool(flags & h2.END_STREAM)
        at += FRAME_HEADER + length
    return count


async def until_ended(connection: h2.RawConnection, count: int) -> None:
    async with asyncio.timeout(20):
        while ended(connection.received) < count:
            await asyncio.sleep(0.01)


async def begin(connection: h2.RawConnection, path: str, count: int) -> None:
    for stream in range(1, 2 * count, 2):
        await connection.send(h2.begin(stream, path), h2.frame(h2.DATA, 0, stream, BEGUN))


@pytest.mark.parametrize("path", [INFO, CHECK])
async def test_few_are_waited_for_and_none_for_long(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(waiting_messages, "_SOON_S", 0.1)
    monkeypatch.setattr(waiting_messages, "_AT_MOST_S", 3)
    monkeypatch.setattr(waiting_messages, "_MOST_SINGLE", 4)
    async with start_node() as node, h2.RawConnection(node.node.address) as connection:
        clock = asyncio.get_running_loop().time
        begun_s = clock()
        await begin(connection, path, 10)
        await until_ended(connection, 6)
        assert clock() - begun_s < 2
        # Whoever sends what he asks for is answered meanwhile.
        assert (await _asked(node, path)) is not None
        assert ended(connection.received) == 6
        await until_ended(connection, 10)


async def _asked(node: RunningNode, path: str) -> Any:
    if path == CHECK:
        return await health_pb2_grpc.HealthStub(node.channel).Check(health_pb2.HealthCheckRequest())
    return await node.cluster.GetServerInfo(cluster.GetServerInfoRequest())


async def test_who_shows_nothing_is_not_waited_for(
    start_node: StartNode, access: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_messages, "_SOON_S", 60)
    monkeypatch.setattr(waiting_messages, "_AT_MOST_S", 60)
    async with start_node(access=access) as node, h2.RawConnection(node.node.address) as connection:
        await begin(connection, INFO, 5)
        await until_ended(connection, 5)


async def test_one_principal_has_few_streams_that_wait_for_a_message(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_messages, "_SOON_S", 0.1)
    monkeypatch.setattr(waiting_messages, "_MOST_OF_ONES_STREAMS", 2)
    write_policy(access["policy_file"], {"role": "admin", "principals": ["anna", "bert"]})
    async with start_node(access=access) as node:
        anna, bert = (as_caller(node, issuer.token(name)) for name in ("anna", "bert"))
        calls = [anna.deployments.Deploy() for _ in range(3)]
        ended = [asyncio.ensure_future(call.code()) for call in calls]
        async with asyncio.timeout(20):
            done, waiting = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [grpc.StatusCode.RESOURCE_EXHAUSTED]
        await deploy(bert, random_bytes(1000, seed=1), project="other", **FILE)
        assert len(waiting) == 2
        for call in calls:
            call.cancel()
        await asyncio.wait(waiting)
        await deploy(anna, random_bytes(1000, seed=2), project="other", **FILE)


async def test_a_call_without_its_request(node: RunningNode) -> None:
    call: Any = node.channel.stream_unary(INFO)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(iter(()))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the call came without its request"


async def test_one_whose_client_goes_was_cancelled(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy the machine is.
    monkeypatch.setattr(waiting_messages, "_TOLD_AFTER_S", 10)
    with capture_logs() as lines:
        async with start_node() as node, h2.RawConnection(node.node.address) as connection:
            await begin(connection, INFO, 1)
            await _told(lines, "call.begun")
            await connection.send(h2.frame(h2.RST_STREAM, 0, 1, h2.CANCEL.to_bytes(4, "big")))
            await _told(lines, "call.cancelled")
    assert "call.refused" not in {line["event"] for line in lines}


async def _told(lines: list[EventDict], event: str) -> None:
    async with asyncio.timeout(20):
        while not any(line["event"] == event for line in lines):
            await asyncio.sleep(0.01)
