"""Work that takes long: it shows that it is alive, ends when it is lost, and holds nothing else up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server import node as node_module
from longshore_server.deploying.opening import payload_settings
from longshore_server.deploying.upload_ledger import UploadLedger
from longshore_server.settings import UploadSettings
from longshore_storage.catalogue import uploads
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.payloads import Hold, PayloadSettings
from tests.bundles.trees import File

from .calls import UploadCall, deploy, deploy_to_end, ended, get, header, new_id, refused, until
from .contents import canonical_tar, random_bytes, small_tree
from .held_reads import Gate
from .held_reads import gate as gate
from .running import RunningNode, StartNode, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())


@pytest.fixture
def quick_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(settings: UploadSettings) -> PayloadSettings:
        return replace(payload_settings(settings), heartbeat_s=0.05)

    monkeypatch.setattr(node_module, "payload_settings", quick)


async def heartbeat(node: RunningNode, deployment_id: str) -> datetime:
    async with node.catalogue.reading() as transaction:
        upload = await uploads.get_upload(transaction, deployment_id)
    assert upload is not None
    return upload.heartbeat_time


async def beats(node: RunningNode, deployment_id: str) -> None:
    before = await heartbeat(node, deployment_id)
    async with asyncio.timeout(20):
        while await heartbeat(node, deployment_id) <= before:
            await asyncio.sleep(0.01)


async def validating(node: RunningNode, deployment_id: str) -> None:
    await until(node, deployment_id, lambda seen: seen.status == d.DEPLOYMENT_STATUS_VALIDATING)


@pytest.mark.usefixtures("quick_heartbeat")
class TestWhileItIsExamined:
    @pytest.mark.parametrize("stored_before", [True, False])
    async def test_the_upload_is_alive(self, start_node: StartNode, gate: Gate, stored_before: bool) -> None:
        async with start_node() as node:
            values: dict[str, Any] = {}
            if stored_before:
                made = await deploy_to_end(node, TAR)
                values = {"payload_sha256": made.payload_sha256}
                gate.known.clear()
            deployment_id = new_id()
            with gate.closed():
                async with UploadCall(node, header(deployment_id, **values)) as call:
                    assert call.durable_offset == (len(TAR) if stored_before else 0)
                    await call.send(self.rest(call.durable_offset))
                    answer = asyncio.create_task(call.answer())
                    await validating(node, deployment_id)
                    await gate.holds(1)
                    for _ in range(3):
                        await beats(node, deployment_id)
                    with refused(S.ABORTED, "UPLOAD_IN_PROGRESS"):
                        async with UploadCall(node, header(deployment_id, session_id=new_id(), **values)):
                            pass
                    gate._open.set()
                    assert (await answer).status == d.DEPLOYMENT_STATUS_QUEUED
            assert (await ended(node, deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED

    @pytest.mark.parametrize("stored_before", [True, False])
    async def test_who_loses_it_stops(self, start_node: StartNode, gate: Gate, stored_before: bool) -> None:
        async with start_node() as node:
            values: dict[str, Any] = {}
            if stored_before:
                values = {"payload_sha256": (await deploy_to_end(node, TAR)).payload_sha256}
                gate.known.clear()
            deployment_id, session_id = new_id(), new_id()
            values |= {"session_id": session_id}
            with gate.closed():
                async with UploadCall(node, header(deployment_id, **values)) as former:
                    await former.send(self.rest(former.durable_offset))
                    answer = asyncio.create_task(former.answer())
                    await gate.holds(1)
                    async with UploadCall(node, header(deployment_id, attempt=2, **values)) as call:
                        assert call.durable_offset == len(TAR)
                        with refused(S.ABORTED, "UPLOAD_TAKEN_OVER"):
                            await answer
                        gate._open.set()
                        assert (await call.answer()).status == d.DEPLOYMENT_STATUS_QUEUED

    @embedded
    async def test_what_is_recorded_is_not_lost(
        self, start_node: StartNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A heartbeat between the commit that ends the upload and the session's end finds no row."""
        record, beat = UploadLedger.recorded, Hold._beat
        found_none = asyncio.Event()

        async def noted_beat(hold: Hold) -> bool:
            held = await beat(hold)
            if not held:
                found_none.set()
            return held

        async def record_and_wait(ledger: UploadLedger, *arguments: Any) -> Deployment:
            recorded = await record(ledger, *arguments)
            await found_none.wait()
            return recorded

        monkeypatch.setattr(Hold, "_beat", noted_beat)
        monkeypatch.setattr(UploadLedger, "recorded", record_and_wait)
        async with start_node() as node:
            for _ in range(2):
                found_none.clear()
                assert (await deploy(node, TAR)).status == d.DEPLOYMENT_STATUS_QUEUED

    def rest(self, offset: int) -> Iterator[pb.DeployRequest]:
        if offset < len(TAR):
            yield pb.DeployRequest(data=pb.PayloadData(offset=offset, data=TAR[offset:]))


@embedded
async def test_a_tar_was_looked_through_when_it_is_there(start_node: StartNode, gate: Gate) -> None:
    """Nothing of it is read back: reads of pack files are held up."""
    async with start_node() as node:
        with gate.closed():
            made = await deploy(node, TAR, payload_format=d.PAYLOAD_FORMAT_TAR)
            assert made.status == d.DEPLOYMENT_STATUS_QUEUED
            assert made.content_sha256
        assert (await ended(node, made.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED


@embedded
async def test_payloads_under_examination_hold_no_rollout_up(start_node: StartNode, gate: Gate) -> None:
    """With one thread for short work, which nobody may keep for himself."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with start_node(uploads={"examined_at_once": 2}, node={"kept_releases": 0}) as node:
        first = await deploy_to_end(node, TAR)
        await deploy_to_end(node, canonical_tar(small_tree("two")))
        with gate.closed():
            examined = [
                asyncio.create_task(deploy(node, canonical_tar({**small_tree(), "f": File(content)})))
                for content in (random_bytes(1000, seed) for seed in range(5))
            ]
            await gate.holds(5)
            # Its tree is gone, so it is built anew.
            again = await node.deployments.DeployRelease(
                pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version=first.version)
            )
            async with asyncio.timeout(20):
                made = await ended(node, again.deployment.deployment_id)
            assert made.status == d.DEPLOYMENT_STATUS_SUCCEEDED
            assert len([one for one in threading.enumerate() if one.name.startswith("examining")]) == 2
        versions = {(await one).version for one in examined}
        assert len(versions) == 5
        assert (await get(node, made.deployment_id)).version == "1.0.0"


@embedded
async def test_trees_that_are_built_hold_no_short_work_up(start_node: StartNode, gate: Gate) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with start_node(node={"kept_releases": 0}) as node:
        first = await deploy_to_end(node, TAR)
        await deploy_to_end(node, canonical_tar(small_tree("two")))
        gate.known.clear()
        with gate.closed():
            again = await node.deployments.DeployRelease(
                pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version=first.version)
            )
            await gate.holds(1)
            async with asyncio.timeout(20):
                await asyncio.to_thread(lambda: None)
            assert (await get(node, again.deployment.deployment_id)).node_counts.working == 1
        made = await ended(node, again.deployment.deployment_id)
        assert made.status == d.DEPLOYMENT_STATUS_SUCCEEDED
