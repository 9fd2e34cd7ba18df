"""Clients that lie in what they send: refused by the right error, by tables, and nothing stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import errors_pb2
from tests.storage.catalogue.rows import make_unfinished_old, silence_uploads

from .bad_uploads import NOTHING, Bad, send, told
from .calls import UploadCall, deploy, get, header, new_id
from .collected import collect
from .lies import CHUNKS, FINAL, FRAMES, JUMPS, ORDERS, SHA256, SIZE, TAR, plain, thrifty
from .running import RunningNode, counts, embedded


@pytest.mark.parametrize(
    "table", [JUMPS, ORDERS, CHUNKS, FRAMES[:3]], ids=["offsets", "orders", "chunks", "frames"]
)
@embedded
async def test_what_may_be_sent_better(
    node: RunningNode, stores: dict[str, Any], table: Sequence[Bad]
) -> None:
    await deploy(node, TAR)
    for bad in table:
        with told(bad):
            await refused_and_completed(node, bad)
    assert await counts(node.catalogue) == {**NOTHING, "release": 1 + len(table), "payload": 1}
    await make_unfinished_old(node.catalogue)
    # The payload's one pack file, and its manifest.
    assert len(await collect(node, stores)) == 2


async def refused_and_completed(node: RunningNode, bad: Bad) -> None:
    deployment_id = new_id()
    await send(node, bad, deployment_id)
    broken = await get(node, deployment_id)
    assert (broken.status, broken.status_reason) == (d.DEPLOYMENT_STATUS_RECEIVING, "interrupted")
    assert not broken.version
    async with UploadCall(node, header(deployment_id, **bad.header)) as call:
        if (begin := call.durable_offset) < SIZE:
            is_plain = next(iter(bad.messages())).HasField("data")
            await call.send([(plain if is_plain else thrifty)(begin, TAR[begin:])])
        made = await call.answer()
    assert (made.status, made.payload_sha256) == (d.DEPLOYMENT_STATUS_QUEUED, SHA256)


async def test_what_can_never_succeed(node: RunningNode, stores: dict[str, Any]) -> None:
    await deploy(node, TAR)
    for bad in FINAL:
        with told(bad):
            deployment_id = new_id()
            first = await send(node, bad, deployment_id)
            failed = await get(node, deployment_id)
            assert failed.status == d.DEPLOYMENT_STATUS_FAILED
            assert failed.error.message == first.message
            assert (await send(node, bad, deployment_id)).message == first.message
    assert await counts(node.catalogue) == {**NOTHING, "release": 1, "payload": 1}
    await make_unfinished_old(node.catalogue)
    assert len(await collect(node, stores)) == 2


async def test_who_only_lies_leaves_nothing(node: RunningNode, stores: dict[str, Any]) -> None:
    """Not one of them is completed: they are given up, and with them goes what they stored."""
    lies = [bad for bad in (*JUMPS, *ORDERS, *CHUNKS, *FRAMES) if "payload_sha256" not in bad.header]
    for bad in lies:
        with told(bad):
            await send(node, bad, new_id())
    await silence_uploads(node.catalogue)
    await make_unfinished_old(node.catalogue)
    assert await collect(node, stores) == set()
    assert await counts(node.catalogue) == NOTHING
    given_up = await node.deployments.ListDeployments(
        pb.ListDeploymentsRequest(statuses=[d.DEPLOYMENT_STATUS_FAILED], page_size=500)
    )
    assert {one.error.reason for one in given_up.deployments} == {errors_pb2.ERROR_REASON_UPLOAD_ABANDONED}
    assert len(given_up.deployments) == len(lies)
