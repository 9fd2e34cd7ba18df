"""What `DeletePayload` drops, what it refuses to, and how a payload comes back."""

from __future__ import annotations

import gzip
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .calls import UploadCall, deploy, deploy_to_end, ended, get, header, new_id, refused, sha256_of
from .collected import collect, content, delete, download, stored_versions
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode
MIB = 1 << 20


class TestDeletePayload:
    async def test_it_goes_and_comes_back(self, node: RunningNode, stores: dict[str, Any]) -> None:
        first = await deploy_to_end(node, content(1))
        second = await deploy_to_end(node, content(2))
        deleted = await delete(node, "1.0.0", force=True)
        assert MIB < deleted.freed_size_bytes < 1.1 * MIB
        assert deleted.shared_size_bytes == 0
        assert await delete(node, "1.0.0") == pb.DeletePayloadResponse()
        assert await stored_versions(node) == ["1.0.1"]
        assert not (await get(node, first.deployment_id)).payload_present
        assert (await get(node, second.deployment_id)).payload_present
        await self.nothing_leads_there(node)
        await collect(node, stores)
        await self.nothing_leads_there(node)

        entries = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
        told = [entry for entry in entries.entries if entry.action == "payload.deleted"]
        assert [(entry.version, entry.principal) for entry in told] == [("1.0.0", "anonymous")]
        assert "forced" in told[0].message

        again = await ended(node, (await deploy(node, content(1), version="1.0.0")).deployment_id)
        assert (again.status, again.version) == (d.DEPLOYMENT_STATUS_SUCCEEDED, "1.0.0")
        assert (await get(node, first.deployment_id)).payload_present
        assert (await download(node, "1.0.0"))[1] == content(1)
        await collect(node, stores)
        assert (await download(node, "1.0.0"))[1] == content(1)

    async def nothing_leads_there(self, node: RunningNode) -> None:
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
            await node.deployments.DeployRelease(
                pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="1.0.0")
            )
        targets: tuple[dict[str, Any], ...] = ({}, {"version": "1.0.0"})
        for target in targets:
            with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
                await node.deployments.Rollback(
                    pb.RollbackRequest(deployment_id=new_id(), project="netops", **target)
                )
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
            await download(node, "1.0.0")

    @embedded
    async def test_what_is_needed_is_refused(self, node: RunningNode) -> None:
        await deploy_to_end(node, content(1))
        await deploy_to_end(node, content(2))
        for force in (False, True):
            with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
                await delete(node, "1.0.1", force=force)
            assert "is live in default" in told.message
            assert "deploy something else" in told.message
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
            await delete(node, "1.0.0")
        assert "can be rolled back to in default; it is deleted with `force`" in told.message
        assert await stored_versions(node) == ["1.0.0", "1.0.1"]

    @embedded
    async def test_what_is_on_its_way_is_refused(self, start_node: StartNode) -> None:
        async with start_node(node={"roles": "receive,control"}) as node:
            queued = await deploy(node, content(1))
            assert queued.status == d.DEPLOYMENT_STATUS_QUEUED
            with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
                await delete(node, "1.0.0", force=True)
            assert "is on its way to default" in told.message

    @embedded
    async def test_what_others_share_stays(self, node: RunningNode, stores: dict[str, Any]) -> None:
        data = content(1)
        for project in ("netops", "netops", "other"):
            await deploy_to_end(node, data, project=project, version="1.0.0")
        await deploy_to_end(node, content(2))
        deleted = await delete(node, "1.0.0", force=True)
        assert deleted.freed_size_bytes == 0
        assert deleted.shared_size_bytes > MIB
        await collect(node, stores)
        request = pb.DownloadPayloadRequest(project="other", version="1.0.0")
        messages = [message async for message in node.deployments.DownloadPayload(request)]
        assert b"".join(message.data for message in messages) == data

    @embedded
    async def test_content_may_come_back_as_other_bytes(
        self, node: RunningNode, stores: dict[str, Any]
    ) -> None:
        data = content(1)
        await deploy_to_end(node, data)
        await deploy_to_end(node, content(2))
        await delete(node, "1.0.0", force=True)
        await collect(node, stores)
        packed = gzip.compress(data, mtime=0)
        again = await deploy_to_end(node, packed, version="1.0.0")
        assert again.content_sha256 == sha256_of(data)
        info, got = await download(node, "1.0.0")
        assert got == packed
        assert (info.payload_sha256, info.size_bytes) == (sha256_of(packed), len(packed))
        assert info.payload_format == d.PAYLOAD_FORMAT_TAR_GZ

    @embedded
    async def test_an_upload_that_has_nothing_to_send_keeps_it(
        self, node: RunningNode, stores: dict[str, Any]
    ) -> None:
        """It was told that everything is stored, and so it must be when it is recorded."""
        data = content(1)
        await deploy_to_end(node, data)
        await deploy_to_end(node, content(2))
        first = header(payload_size_bytes=len(data), payload_sha256=sha256_of(data), version="2.0.0")
        async with UploadCall(node, first) as call:
            assert call.durable_offset == len(data)
            await delete(node, "1.0.0", force=True)
            await collect(node, stores)
            made = await call.answer()
        assert (await ended(node, made.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert (await download(node, "2.0.0"))[1] == data

    @embedded
    @pytest.mark.parametrize(
        ("values", "code", "reason"),
        [
            ({"project": ""}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
            ({"version": ""}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
            ({"version": "one"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
            ({"version": "3.0.0"}, S.NOT_FOUND, "RELEASE_NOT_FOUND"),
            ({"project": "none"}, S.NOT_FOUND, "PROJECT_NOT_FOUND"),
        ],
    )
    async def test_what_is_not_there(
        self, node: RunningNode, values: dict[str, str], code: grpc.StatusCode, reason: str
    ) -> None:
        await deploy(node, content(1))
        with refused(code, reason):
            await delete(node, **{"version": "1.0.0", **values})
