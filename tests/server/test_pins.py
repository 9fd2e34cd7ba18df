"""Pins: a pinned release's payload stays, whatever retention says and whoever wants it gone."""

from __future__ import annotations

import grpc

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb

from .calls import deploy_to_end, refused
from .contents import canonical_tar, small_tree
from .running import RunningNode

S = grpc.StatusCode


async def pin(node: RunningNode, version: str, reason: str, project: str = "netops") -> catalog.Release:
    request = catalog.PinReleaseRequest(project=project, version=version, reason=reason)
    return (await node.catalog.PinRelease(request)).release


async def delete(node: RunningNode, version: str) -> pb.DeletePayloadResponse:
    return await node.deployments.DeletePayload(
        pb.DeletePayloadRequest(project="netops", version=version, force=True)
    )


async def test_a_pinned_payload_is_not_deleted(node: RunningNode) -> None:
    for text in ("one", "two"):
        await deploy_to_end(node, canonical_tar(small_tree(text)))
    pinned = await pin(node, "1.0.0", "what the auditors saw")
    assert (pinned.pin_reason, pinned.pinned_by) == ("what the auditors saw", "anonymous")
    assert await pin(node, "1.0.0", "what the auditors saw") == pinned
    with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
        await delete(node, "1.0.0")
    assert "is pinned" in told.message
    assert "unpin it first" in told.message
    assert not (await pin(node, "1.0.0", "")).pin_reason
    assert (await delete(node, "1.0.0")).freed_size_bytes > 0
    with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
        await pin(node, "1.0.0", "too late")
    response = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    told_actions = [entry.action for entry in response.entries]
    assert told_actions[:3] == ["payload.deleted", "release.unpinned", "release.pinned"]


async def test_what_does_not_exist_is_not_pinned(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree("one")))
    with refused(S.NOT_FOUND, "RELEASE_NOT_FOUND"):
        await pin(node, "9.9.9", "x")
    with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await pin(node, "1.0.0", "x", project="unknown")
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await pin(node, "1.0.0", "two\nlines")
