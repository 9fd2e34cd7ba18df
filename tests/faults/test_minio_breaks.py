"""MinIO itself killed, or standing still, in the middle of what a node does: waited for, and gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from longshore.v1 import deployment_service_pb2 as pb
from tests.bundles.trees import make_tar
from tests.services.minio_service import MinioService
from tests.services.store_faults import Holds
from tests.services.store_proxy import StoreProxy, store_proxy

from .calls import (
    PROJECT,
    UploadCall,
    Uploading,
    assert_succeeded,
    channel_to,
    deployed,
    health,
    outcome,
    wait_for_health,
)
from .faulty_node import PATIENT, SMALL, SMALL_PAYLOAD, FaultyNode, faulty_node, large_tree
from .nodes import Nursery

_LARGE = large_tree(1)
_LARGE_PAYLOAD = make_tar(_LARGE)


@dataclass(frozen=True)
class Break:
    """How MinIO goes away, and how it comes back; ``is_told`` says that the node's health is waited for."""

    name: str
    begin: Callable[[MinioService], None]
    end: Callable[[MinioService], None]
    is_told: bool

    def __str__(self) -> str:
        return self.name


BREAKS = (
    Break("killed", MinioService.kill, MinioService.start, is_told=False),
    Break("stopped", MinioService.pause, MinioService.resume, is_told=True),
)


@dataclass(frozen=True)
class Breaking:
    """Breaks MinIO when a request is on its way, and mends it when the request was tried again in vain."""

    proxy: StoreProxy
    service: MinioService
    broken: Break

    @asynccontextmanager
    async def during(self, operation: str, key: str, *, skip: int, share: float = 0.0) -> AsyncIterator[None]:
        """The block begins once MinIO is broken, and runs while it is."""
        holds = Holds(share)
        # Also what is tried again meanwhile, so that nothing gets through before MinIO is broken.
        self.proxy.break_(holds, operation, key, skip=skip)
        first = await asyncio.wait_for(holds.held.get(), 60)
        await asyncio.to_thread(self.broken.begin, self.service)
        asked = self.proxy.requests.count((first.operation, first.key))
        holds.let_go.set()
        async with asyncio.timeout(60):
            while self.proxy.requests.count((first.operation, first.key)) == asked:
                await asyncio.sleep(0.01)
        yield
        await asyncio.to_thread(self.broken.end, self.service)
        await self.proxy.mend()


@pytest.mark.parametrize("broken", BREAKS, ids=str)
async def test_in_the_middle(
    nursery: Nursery, place: Path, minio_service: MinioService, s3_url: str, broken: Break
) -> None:
    async with (
        store_proxy(minio_service.endpoint) as proxy,
        faulty_node(nursery, place, proxy, s3_url, PATIENT) as node,
    ):
        breaking = Breaking(proxy, minio_service, broken)
        async with channel_to(node.process.address) as channel:
            await uploading(node, breaking, channel)
        await downloading(node, breaking)
        await installing(node, breaking)
        await collecting(node, breaking)


async def uploading(node: FaultyNode, breaking: Breaking, channel: grpc.aio.Channel) -> None:
    upload = Uploading(_LARGE_PAYLOAD)
    call = UploadCall(node.stub, upload)
    await call.accepted()
    answer = asyncio.create_task(call.rest(0))
    async with breaking.during("put", "packs/", skip=5, share=0.5), node.others_are_answered():
        if breaking.broken.is_told:
            await wait_for_health(channel, "longshore.upload", False)
            assert await health(channel, "longshore.read")
        assert not answer.done()
    done = await answer
    assert done.transfer.received_bytes == len(_LARGE_PAYLOAD)
    assert_succeeded(await outcome(node.stub, upload.deployment_id))
    assert node.live == _LARGE
    await wait_for_health(channel, "longshore.upload", True)


async def downloading(node: FaultyNode, breaking: Breaking) -> None:
    received = asyncio.create_task(node.download())
    async with breaking.during("get", "packs/", skip=2), node.others_are_answered():
        assert not received.done()
    assert await received == (SMALL_PAYLOAD, None)


async def installing(node: FaultyNode, breaking: Breaking) -> None:
    installed = asyncio.create_task(node.installed(node.first.version))
    async with breaking.during("get", "packs/", skip=2), node.others_are_answered():
        assert not installed.done()
    assert_succeeded(await installed)
    assert node.live == SMALL


async def collecting(node: FaultyNode, breaking: Breaking) -> None:
    doomed = await deployed(node.stub, Uploading(make_tar(large_tree(2))))
    assert_succeeded(await node.installed(node.first.version))
    await node.stub.DeletePayload(
        pb.DeletePayloadRequest(project=PROJECT, version=doomed.version, force=True)
    )
    before = len([request for request in breaking.proxy.requests if request[0] == "delete"])
    collected = asyncio.ensure_future(node.admin("gc"))
    async with breaking.during("delete", "", skip=3), node.others_are_answered():
        assert not collected.done()
    assert (await collected).status == 0
    assert len([request for request in breaking.proxy.requests if request[0] == "delete"]) > before + 5
