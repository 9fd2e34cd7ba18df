"""Health and reflection answer everybody: what they hold for all who call them together is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from longshore_server.rpc import unguarded
from tests.server.running import RunningNode, StartNode, embedded

pytestmark = embedded
S = grpc.StatusCode
HEALTH = health_pb2.HealthCheckRequest()
LIST = reflection_pb2.ServerReflectionRequest(list_services="")


async def _code_of_the_end(call: Any) -> grpc.StatusCode:
    async with asyncio.timeout(20):
        with suppress(grpc.aio.AioRpcError):
            while await call.read() is not grpc.aio.EOF:
                pass
        code: grpc.StatusCode = await call.code()
        return code


async def _first_of(call: Any) -> Any:
    """Its first message; None where it is refused."""
    try:
        return await call.read()
    except grpc.aio.AioRpcError:
        return None


async def _asking(
    ended: asyncio.Event, *requests: reflection_pb2.ServerReflectionRequest
) -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
    for request in requests:
        yield request
    await ended.wait()


@pytest.mark.parametrize("most", [(2, 9), (9, 2)], ids=["of all", "of one"])
async def test_streams_are_counted(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch, most: tuple[int, int]
) -> None:
    monkeypatch.setattr(unguarded, "_MOST_WATCHES", most)
    monkeypatch.setattr(unguarded, "_MOST_CONVERSATIONS", most)
    async with start_node() as node:
        health = health_pb2_grpc.HealthStub(node.channel)
        reflection = reflection_pb2_grpc.ServerReflectionStub(node.channel)
        ended = asyncio.Event()
        watched = [health.Watch(HEALTH) for _ in range(2)]
        asked = [reflection.ServerReflectionInfo(_asking(ended, LIST)) for _ in range(2)]
        for call in (*watched, *asked):
            assert await call.read() is not grpc.aio.EOF
        assert await _code_of_the_end(health.Watch(HEALTH)) is S.RESOURCE_EXHAUSTED
        refused = reflection.ServerReflectionInfo(_asking(ended))
        assert await _code_of_the_end(refused) is S.RESOURCE_EXHAUSTED
        # Whoever asks once takes no place.
        assert (await health.Check(HEALTH)).status == health_pb2.HealthCheckResponse.SERVING
        ended.set()
        for call in asked:
            assert await _code_of_the_end(call) is S.OK
        assert await _code_of_the_end(reflection.ServerReflectionInfo(iter([LIST]))) is S.OK
        watched[0].cancel()
        async with asyncio.timeout(20):
            while (again := await _first_of(health.Watch(HEALTH))) is None:
                await asyncio.sleep(0.05)
        assert again.status == health_pb2.HealthCheckResponse.SERVING
        watched[1].cancel()


async def test_a_conversation_ends_where_nothing_is_asked(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unguarded, "_IDLE_S", 0.3)
    reflection = reflection_pb2_grpc.ServerReflectionStub(node.channel)
    for requests in ((), (LIST,)):
        call = reflection.ServerReflectionInfo(_asking(asyncio.Event(), *requests))
        assert await _code_of_the_end(call) is S.DEADLINE_EXCEEDED


async def test_a_question_is_small(node: RunningNode) -> None:
    long = "x" * 5000
    health = health_pb2_grpc.HealthStub(node.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(health_pb2.HealthCheckRequest(service=long))
    assert caught.value.code() is S.INVALID_ARGUMENT
    assert await _code_of_the_end(health.Watch(health_pb2.HealthCheckRequest(service=long))) is (
        S.INVALID_ARGUMENT
    )
    reflection = reflection_pb2_grpc.ServerReflectionStub(node.channel)
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=long)
    assert await _code_of_the_end(reflection.ServerReflectionInfo(iter([asked]))) is S.INVALID_ARGUMENT
