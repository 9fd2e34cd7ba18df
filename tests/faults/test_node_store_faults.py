"""A node while its blob store does wrong: what callers are told, what goes on, and that it ends well."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from longshore.v1.deployment_pb2 import DeploymentStatus
from longshore_storage.errors import BlobStoreFull, BlobStoreUnavailable, Misconfigured
from tests.bundles.trees import File, Tree, make_tar
from tests.services.minio_service import MinioService
from tests.services.store_faults import Swallows
from tests.services.store_proxy import StoreProxy, store_proxy

from .calls import (
    UploadCall,
    Uploading,
    assert_succeeded,
    deployed,
    outcome,
    refused,
    upload,
    wait_for_reason,
)
from .faulty_node import IMPATIENT, SMALL, SMALL_PAYLOAD, FaultyNode, faulty_node, large_tree, told
from .nodes import Nursery
from .store_fault_table import CASES, Case, Good
from .trees import PAYLOAD_2, V2

S = grpc.StatusCode
_FAILED = DeploymentStatus.DEPLOYMENT_STATUS_FAILED
# So much is taken in and becomes pack files before the rest is sent.
_FIRST_BYTES = 5_000_000

# What a client is told of an upload, and whether a time is named after which to try again.
TOLD = {
    BlobStoreUnavailable: (S.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", True),
    BlobStoreFull: (S.RESOURCE_EXHAUSTED, "STORAGE_FULL", False),
    Misconfigured: (S.FAILED_PRECONDITION, "MISCONFIGURED", False),
    Good.DECEIVED: (S.FAILED_PRECONDITION, "CHUNK_MISSING", False),
}


def cases(operation: str, *names: str) -> list[Case]:
    """Those of the table for which a node does something of its own."""
    found = [case for case in CASES if case.name in names and operation in case.operations]
    assert len(found) == len(names)
    return found


PUTS = cases(
    "put",
    *("hangs", "503", "full", "denied", "request cut short", "bit flipped on its way in", "never stored"),
)
EXAMINATIONS = cases("get", "503", "bit flipped on its way out")
GETS = cases(
    "get",
    *("hangs", "answer cut short", "bit flipped on its way out", "not found"),
)


@pytest.fixture
async def proxy(minio_service: MinioService) -> AsyncIterator[StoreProxy]:
    async with store_proxy(minio_service.endpoint) as proxy:
        yield proxy


@pytest.fixture
async def node(nursery: Nursery, place: Path, proxy: StoreProxy, s3_url: str) -> AsyncIterator[FaultyNode]:
    async with faulty_node(nursery, place, proxy, s3_url, IMPATIENT) as node:
        yield node


async def test_uploading(node: FaultyNode, proxy: StoreProxy) -> None:
    for seed, case in enumerate(PUTS):
        with told(case):
            await upload_during(case, node, proxy, large_tree(seed))


async def upload_during(case: Case, node: FaultyNode, proxy: StoreProxy, tree: Tree) -> None:
    """It waits, then tells what is the matter; the same deployment goes on once the fault has ended."""
    uploading = Uploading(make_tar(tree))
    call = UploadCall(node.stub, uploading)
    await call.accepted()
    rule = proxy.break_(case.fault, "put", "packs/", skip=4)
    await call.send(0, _FIRST_BYTES)
    await rule.has_hit()
    async with node.others_are_answered():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.rest(_FIRST_BYTES)
    said = refused(caught.value)
    assert (said.code, said.reason, bool(said.retry_after_s)) == TOLD[case.always], said
    broken = await wait_for_reason(node.stub, uploading.deployment_id, "interrupted")
    assert not broken.end_time.seconds
    await proxy.mend()
    assert await node.resumed(uploading) > 0
    assert node.live == tree


async def test_looking_into_what_was_uploaded(node: FaultyNode, proxy: StoreProxy) -> None:
    for seed, case in enumerate(EXAMINATIONS):
        with told(case):
            await examine_during(case, node, proxy, large_tree(seed))
    await a_file_that_was_never_stored(node, proxy)


async def examine_during(case: Case, node: FaultyNode, proxy: StoreProxy, tree: Tree) -> None:
    """All of it is stored, but cannot be looked through: then there is nothing to send again, or not all."""
    uploading = Uploading(make_tar(tree))
    proxy.break_(case.fault, "get", "packs/")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(node.stub, uploading)
    said = refused(caught.value)
    assert (said.code, said.reason, bool(said.retry_after_s)) == TOLD[case.always], said
    broken = await wait_for_reason(node.stub, uploading.deployment_id, "interrupted")
    assert broken.status == DeploymentStatus.DEPLOYMENT_STATUS_VALIDATING
    await proxy.mend()
    began_at = await node.resumed(uploading)
    assert (began_at < len(uploading.payload)) is case.hurts_reading
    assert node.live == tree
    if case.hurts_reading:
        await node.scrub()


async def a_file_that_was_never_stored(node: FaultyNode, proxy: StoreProxy) -> None:
    """Nobody looks into a file, so who installs it finds out; the next deployment brings it back."""
    live, content = node.live, random.Random(9).randbytes(1_000_000)
    proxy.break_(Swallows(), "put", "packs/", times=1)
    lost = Uploading(content, file_name="file")
    await upload(node.stub, lost)
    failed = await outcome(node.stub, lost.deployment_id)
    assert failed.status == _FAILED
    assert "it is gone" in failed.error.message, failed.error
    assert node.live == live
    again = await deployed(node.stub, Uploading(content, file_name="file"))
    assert again.payload_sha256 == failed.payload_sha256
    assert node.live == {"file": File(content)}


async def test_downloading_and_installing(node: FaultyNode, proxy: StoreProxy) -> None:
    second = await deployed(node.stub, Uploading(PAYLOAD_2))
    for case in GETS:
        with told(case):
            await read_during(case, node, proxy)
            assert_succeeded(await node.installed(second.version))


async def read_during(case: Case, node: FaultyNode, proxy: StoreProxy) -> None:
    """Never a wrong byte. Once is not noticed; for longer it waits, or it is told to be damaged."""
    once = proxy.break_(case.fault, "get", "packs/", skip=1, times=1)
    assert await node.download() == (SMALL_PAYLOAD, None)
    assert once.hits == 1

    always = proxy.break_(case.fault, "get", "packs/")
    received, said = await node.download()
    assert SMALL_PAYLOAD.startswith(received)
    assert said is not None
    if not case.hurts_reading:
        assert (said.code, said.reason) == (S.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE")
        waits = node.process.stderr.count("activation.waits")
        installing = asyncio.create_task(node.installed(node.first.version))
        await node.process.logged("activation.waits", times=waits + 1)
        assert node.live == V2
        await proxy.mend()
        assert_succeeded(await installing)
    else:
        assert (said.code, said.reason) == (S.DATA_LOSS, "STORED_DATA_CORRUPT")
        assert (await node.installed(node.first.version)).status == _FAILED
        assert node.live == V2
        assert "payload.damaged" in node.process.stderr
        await proxy.mend()
        await node.scrub()
        assert_succeeded(await node.installed(node.first.version))
    assert node.live == SMALL
    assert always.hits
    assert await node.download(offset=len(received)) == (SMALL_PAYLOAD[len(received) :], None)
