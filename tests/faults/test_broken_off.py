"""Uploads that break off: resumable, whatever had come, and never taken for the whole payload."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from longshore.v1.deployment_pb2 import DeploymentStatus

from .calls import (
    UploadCall,
    Uploading,
    assert_succeeded,
    connected,
    outcome,
    refused,
    upload,
    wait_for_reason,
)
from .nodes import Nursery
from .trees import PAYLOAD_2

_CALLS = 12


@pytest.mark.parametrize("is_declared", [True, False], ids=["of known size", "of unknown size"])
@pytest.mark.parametrize("sent_bytes", [0, 1, 500_000, len(PAYLOAD_2) - 1])
async def test_a_cancelled_call_does_not_end_the_upload(
    nursery: Nursery, place: Path, sent_bytes: int, is_declared: bool
) -> None:
    uploadings = [
        # As a file, whatever its end, it would be as good as any other.
        Uploading(PAYLOAD_2, project=f"p{number}", file_name="file", is_declared=is_declared)
        for number in range(_CALLS)
    ]
    async with nursery.serve(place / "node") as node, connected(node) as stub:

        async def break_off(uploading: Uploading) -> None:
            call = UploadCall(stub, uploading)
            await call.accepted()
            await call.send(0, sent_bytes)
            call.cancel()
            deployment = await wait_for_reason(stub, uploading.deployment_id, "interrupted")
            assert deployment.status == DeploymentStatus.DEPLOYMENT_STATUS_RECEIVING

        await asyncio.gather(*map(break_off, uploadings))
        await upload(stub, uploadings[0], attempt=2)
        assert_succeeded(await outcome(stub, uploadings[0].deployment_id))


async def test_half_of_a_payload_is_no_payload(nursery: Nursery, place: Path) -> None:
    """A call that ends in order, but too early: a client that lost its way may still go on."""
    uploading = Uploading(PAYLOAD_2)
    async with nursery.serve(place / "node") as node, connected(node) as stub:
        call = UploadCall(stub, uploading)
        await call.accepted()
        await call.send(0, 500_000)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.answer()
        told = refused(caught.value)
        assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SIZE_MISMATCH")
        await wait_for_reason(stub, uploading.deployment_id, "interrupted")
        await upload(stub, uploading, attempt=2)
        assert_succeeded(await outcome(stub, uploading.deployment_id))
