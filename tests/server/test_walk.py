"""The whole way on a running node, on both stores: deploy, look, take back, download."""

from __future__ import annotations

import grpc

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import (
    UploadCall,
    data_messages,
    deploy,
    deploy_chunks,
    deploy_to_end,
    ended,
    get,
    header,
    new_id,
    refused,
    sha256_of,
)
from .contents import canonical_tar, installed, large_tree, small_tree, with_a_change
from .running import RunningNode, counts, embedded

S = grpc.StatusCode


async def activations_of(node: RunningNode, deployment_id: str) -> list[d.Activation]:
    response = await node.deployments.ListActivations(pb.ListActivationsRequest(deployment_id=deployment_id))
    return list(response.activations)


async def test_the_walk(node: RunningNode) -> None:
    old, new = large_tree(), with_a_change(large_tree())
    tar_1, tar_2 = canonical_tar(old), canonical_tar(new)

    # The plain way in, followed to its end.
    first = await deploy(node, tar_1, payload_size_bytes=len(tar_1), payload_sha256=sha256_of(tar_1))
    assert first.status == d.DEPLOYMENT_STATUS_QUEUED
    assert (first.version, first.deployed_by, first.environment) == ("1.0.0", "anonymous", "default")
    assert first.payload_sha256 == first.content_sha256 == sha256_of(tar_1)
    assert (first.payload_size_bytes, first.payload_present) == (len(tar_1), True)
    assert first.payload_format == d.PAYLOAD_FORMAT_TAR
    assert first.transfer.durable_bytes == first.transfer.received_bytes == len(tar_1)
    assert 0 < first.transfer.stored_bytes < len(tar_1)
    first = await ended(node, first.deployment_id)
    assert (first.status, first.live, first.kind) == (
        d.DEPLOYMENT_STATUS_SUCCEEDED,
        True,
        d.DEPLOYMENT_KIND_UPLOAD,
    )
    assert first.node_counts == d.NodeCounts(expected=1, live=1)
    assert installed(node.live("netops")) == old
    times = (first.create_time, first.record_time, first.start_time, first.end_time)
    assert sorted(time.ToNanoseconds() for time in times) == [time.ToNanoseconds() for time in times]

    # A changed version by the thrifty way: few bytes move.
    second = await ended(node, (await deploy_chunks(node, tar_2)).deployment_id)
    assert (second.version, second.status) == ("1.0.1", d.DEPLOYMENT_STATUS_SUCCEEDED)
    assert second.transfer.received_bytes < len(tar_2) / 5
    assert second.transfer.reused_bytes > len(tar_2) * 4 / 5
    assert second.transfer.stored_bytes <= second.transfer.received_bytes
    assert (second.previous_deployment_id, second.previous_version) == (first.deployment_id, "1.0.0")
    assert installed(node.live("netops")) == new
    (activation,) = await activations_of(node, second.deployment_id)
    assert 0 < activation.fetched_bytes < len(tar_2) / 5
    assert len(tar_2) * 4 / 5 < activation.reused_bytes < activation.installed_bytes == len(tar_2)
    assert not (await get(node, first.deployment_id)).live

    # Back, without moving a byte.
    back = await ended(
        node,
        (
            await node.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
        ).deployment.deployment_id,
    )
    assert (back.kind, back.version, back.status) == (
        d.DEPLOYMENT_KIND_ROLLBACK,
        "1.0.0",
        d.DEPLOYMENT_STATUS_SUCCEEDED,
    )
    assert (back.rollback_of, back.previous_version) == (second.deployment_id, "1.0.1")
    assert not back.HasField("transfer")
    assert installed(node.live("netops")) == old
    (activation,) = await activations_of(node, back.deployment_id)
    assert (activation.fetched_bytes, activation.reused_bytes) == (0, len(tar_1))
    assert (activation.status, activation.node_name) == (d.ACTIVATION_STATUS_LIVE, "one")
    assert activation.path == str(node.live("netops"))
    taken_back = await get(node, second.deployment_id)
    assert (taken_back.rolled_back_by, taken_back.live) == (back.deployment_id, False)
    assert taken_back.status == d.DEPLOYMENT_STATUS_SUCCEEDED

    left = await counts(node.catalogue)
    assert left == {"release": 2, "payload": 2, "upload": 0, "upload_segment": 0, "pin": 0}
    assert node.staged == []


async def test_a_payload_that_is_stored_needs_no_bytes(node: RunningNode) -> None:
    data = canonical_tar(small_tree())
    await deploy_to_end(node, data)
    async with UploadCall(
        node, header(payload_sha256=sha256_of(data).upper(), version="2.0.0", project="netops")
    ) as call:
        assert call.durable_offset == len(data)
        again = await call.answer()
    assert (again.version, again.transfer.received_bytes) == ("2.0.0", 0)
    assert again.transfer.reused_bytes == len(data)
    assert (await ended(node, again.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
    # Another project's payload is not there: its digest alone opens nothing.
    async with UploadCall(node, header(payload_sha256=sha256_of(data), project="other")) as call:
        assert call.durable_offset == 0
        await call.send(data_messages(data))
        assert (await call.answer()).transfer.received_bytes == len(data)


async def test_download(node: RunningNode) -> None:
    data = canonical_tar(large_tree())
    await deploy_to_end(node, data)

    async def downloaded(offset: int) -> tuple[pb.PayloadInfo, bytes]:
        request = pb.DownloadPayloadRequest(project="netops", version="1.0.0", offset=offset)
        info = None
        got = b""
        async for told in node.deployments.DownloadPayload(request):
            if info is None:
                info = told.info
            else:
                assert not told.HasField("info")
            assert told.offset == offset + len(got)
            assert told.ByteSize() <= 3 << 20
            got += told.data
        assert info is not None
        return info, got

    info, whole = await downloaded(0)
    assert sha256_of(whole) == info.payload_sha256 == sha256_of(data)
    assert (info.size_bytes, info.file_name) == (len(data), "netops-1.0.0.tar")
    assert info.payload_format == d.PAYLOAD_FORMAT_TAR
    for offset in (1, 65_536, len(data) // 2, len(data) - 1, len(data)):
        assert (await downloaded(offset))[1] == data[offset:]
    with refused(S.OUT_OF_RANGE, "BEYOND_END"):
        await downloaded(len(data) + 1)


@embedded
async def test_downloads_of_what_is_not_there(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(small_tree()))
    cases: list[tuple[dict[str, object], grpc.StatusCode, str]] = [
        ({"project": "netops", "version": "9.9.9"}, S.NOT_FOUND, "RELEASE_NOT_FOUND"),
        ({"project": "nobody", "version": "1.0.0"}, S.NOT_FOUND, "PROJECT_NOT_FOUND"),
        ({"project": "netops", "version": "v1"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"project": "netops"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"version": "1.0.0"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ({"project": "netops", "version": "1.0.0", "offset": -1}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
    ]
    for values, code, reason in cases:
        with refused(code, reason):
            async for _ in node.deployments.DownloadPayload(
                pb.DownloadPayloadRequest(**values)  # type: ignore[arg-type]
            ):
                pass
