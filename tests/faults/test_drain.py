"""SIGTERM and Ctrl-C: running uploads end, new ones are sent elsewhere, and the node goes in order."""

from __future__ import annotations

import signal
from pathlib import Path

import grpc
import pytest

from .calls import (
    UploadCall,
    Uploading,
    assert_succeeded,
    channel_to,
    connected,
    deployed,
    follow_until_cut,
    health,
    outcome,
    refused,
    upload,
    wait_for_health,
)
from .nodes import Nursery
from .trees import PAYLOAD_1, PAYLOAD_2, V1, V2, leftovers, live_tree

_HALF = len(PAYLOAD_2) // 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_upload_ends_and_new_ones_are_refused(
    nursery: Nursery, place: Path, number: signal.Signals
) -> None:
    data_dir = place / "node"
    async with nursery.serve(data_dir) as node, connected(node) as stub, channel_to(node.address) as channel:
        running, late = UploadCall(stub, Uploading(PAYLOAD_2)), Uploading(PAYLOAD_1)
        await running.accepted()
        await running.send(0, _HALF)
        node.send(number)
        await wait_for_health(channel, "longshore.upload", False)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await upload(stub, late)
        told = refused(caught.value)
        assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        assert told.retry_after_s is not None
        # Reads go on as long as it runs: who follows need not look for another node yet.
        assert await health(channel, "longshore.read")
        recorded = await running.rest(_HALF)
        assert recorded.version == "1.0.0"
        ended = await node.ended()
    assert ended.status == 0, ended
    assert "Traceback" not in ended.stderr
    async with nursery.serve(data_dir) as node, connected(node) as stub:
        assert_succeeded(await outcome(stub, recorded.deployment_id))
        assert live_tree(data_dir) == V2
        await deployed(stub, late)
        assert live_tree(data_dir) == V1
    assert leftovers(data_dir) == []


async def test_an_upload_that_does_not_end_is_cut_off_and_resumed(nursery: Nursery, place: Path) -> None:
    data_dir = place / "node"
    uploading = Uploading(PAYLOAD_2)
    env = {"LONGSHORE_DRAIN_TIMEOUT_S": "0.2"}
    async with nursery.serve(data_dir, env=env) as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.accepted()
        await call.send(0, _HALF)
        node.send(signal.SIGTERM)
        assert (await node.ended(deadline_s=10)).status == 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.answer()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    async with nursery.serve(data_dir) as node, connected(node) as stub:
        await upload(stub, uploading, attempt=2)
        assert_succeeded(await outcome(stub, uploading.deployment_id))
    assert live_tree(data_dir) == V2


async def test_who_follows_does_not_hold_up_the_end(nursery: Nursery, place: Path) -> None:
    uploading = Uploading(PAYLOAD_2)
    async with nursery.serve(place / "node") as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.accepted()
        async with follow_until_cut(stub, uploading.deployment_id) as following:
            call.cancel()
            node.send(signal.SIGTERM)
            assert (await node.ended(deadline_s=10)).status == 0
            assert (await following).code() is grpc.StatusCode.UNAVAILABLE


async def test_the_second_ctrl_c_does_not_wait(nursery: Nursery, place: Path) -> None:
    uploading = Uploading(PAYLOAD_2)
    async with nursery.serve(place / "node") as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.accepted()
        node.send(signal.SIGINT)
        await node.logged("node.draining")
        node.send(signal.SIGINT)
        ended = await node.ended(deadline_s=10)
    assert ended.status == 0
    assert "Traceback" not in ended.stderr
    async with nursery.serve(place / "node") as node, connected(node) as stub:
        await upload(stub, uploading, attempt=2)
