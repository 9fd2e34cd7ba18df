"""What uploads may and may not: limits, idling, whose chunks count, versions that agree and are free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_chunks import chunk_digest
from tests.bundles.trees import File

from .calls import (
    MIB,
    UploadCall,
    chunk,
    chunks_message,
    cut,
    data_messages,
    deploy,
    deploy_to_end,
    get,
    header,
    new_id,
    reference,
    refused,
    sha256_of,
)
from .contents import canonical_tar, large_tree, random_bytes, small_tree
from .running import RunningNode, StartNode, counts, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())
NOTHING = {"release": 0, "payload": 0, "upload": 0, "upload_segment": 0, "pin": 0}


@embedded
async def test_a_message_above_grpcs_own_limit(node: RunningNode) -> None:
    deployment_id = new_id()
    async with UploadCall(node, header(deployment_id)) as call:
        await call.send(data_messages(b"x" * 5 * MIB, size=5 * MIB))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.answer()
    assert caught.value.code() is S.RESOURCE_EXHAUSTED
    assert (await deploy(node, TAR, deployment_id)).version == "1.0.0"


@embedded
async def test_a_client_that_is_still_writing_sees_the_true_error(node: RunningNode) -> None:
    data = random_bytes(MIB)

    def without_end() -> Iterable[pb.DeployRequest]:
        yield from data_messages(data)
        yield pb.DeployRequest(data=pb.PayloadData(offset=0, data=data))
        for at in range(1, 200):
            yield pb.DeployRequest(data=pb.PayloadData(offset=at << 20, data=data))

    for _ in range(5):
        with refused(S.OUT_OF_RANGE, "OFFSET_MISMATCH"):
            async with UploadCall(node, header()) as call:
                await call.send(without_end())
                await call.answer()
        with refused(S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND"):
            async with UploadCall(node, header(environment="nowhere")) as call:
                await call.send(without_end())


async def test_a_payload_above_the_limit(start_node: StartNode) -> None:
    async with start_node(uploads={"max_payload_bytes": 5000}) as node:
        declared = new_id()
        with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
            await deploy(node, b"x" * 6000, declared, payload_size_bytes=6000)
        assert "uploads.max_payload_bytes" in told.message
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            await get(node, declared)
        for messages in (
            list(data_messages(b"x" * 6000, size=1000)),
            [chunks_message(0, [chunk(b"x" * 6000)])],
        ):
            deployment_id = new_id()
            with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"):
                async with UploadCall(node, header(deployment_id)) as call:
                    await call.send(messages)
                    await call.answer()
            assert (await get(node, deployment_id)).status == d.DEPLOYMENT_STATUS_FAILED
        assert await counts(node.catalogue) == NOTHING
        assert (await deploy(node, TAR)).version == "1.0.0"


async def test_an_idle_client(start_node: StartNode) -> None:
    async with start_node(uploads={"idle_timeout_s": 0.3}) as node:
        deployment_id = new_id()
        with refused(S.DEADLINE_EXCEEDED, "UPLOAD_IDLE") as told:
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send(data_messages(TAR[:100]))
                await call.end()
        assert told.retry_after_s == 0
        assert (await get(node, deployment_id)).status_reason == "interrupted"
        with refused(S.DEADLINE_EXCEEDED, "UPLOAD_IDLE"):
            await node.deployments.Deploy()
        assert (await deploy(node, TAR, deployment_id)).version == "1.0.0"


@embedded
async def test_missing_chunks_are_asked_for_by_the_holder_only(node: RunningNode) -> None:
    digests = [chunk_digest(b"x")]
    deployment_id, session_id = new_id(), new_id()

    async def ask(**values: Any) -> list[int]:
        request = pb.FindMissingChunksRequest(
            **{"deployment_id": deployment_id, "digests": digests, "session_id": session_id, **values}
        )
        return list((await node.deployments.FindMissingChunks(request)).missing_indexes)

    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await ask()
    async with UploadCall(node, header(deployment_id, session_id=session_id, attempt=3)) as call:
        assert await ask(attempt=3) == [0]
        assert await ask(attempt=3, session_id=session_id.upper(), digests=digests * 3) == [0, 1, 2]
        for wrong in ({"attempt": 2}, {"attempt": 4}, {"attempt": 3, "session_id": new_id()}):
            with refused(S.ABORTED, "UPLOAD_TAKEN_OVER"):
                await ask(**wrong)
        for malformed in ([], digests * 10_001, [b"\1" * 31]):
            with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
                await ask(attempt=3, digests=malformed)
            assert list(told.violations) == ["digests"]
        assert len(await ask(attempt=3, digests=digests * 10_000)) == 10_000
        await call.send(data_messages(TAR))
        await call.answer()
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await ask(attempt=3)


async def test_chunks_of_other_projects_are_missing(node: RunningNode) -> None:
    data = canonical_tar(large_tree())
    await deploy_to_end(node, data)
    raws = cut(data)
    for project, missing in (("netops", 0), ("other", len(raws))):
        deployment_id = new_id()
        async with UploadCall(node, header(deployment_id, project=project)):
            response = await node.deployments.FindMissingChunks(
                pb.FindMissingChunksRequest(
                    deployment_id=deployment_id, digests=[chunk_digest(raw) for raw in raws]
                )
            )
            assert len(response.missing_indexes) == missing
    with refused(S.FAILED_PRECONDITION, "CHUNK_MISSING"):
        async with UploadCall(node, header(project="other")) as call:
            await call.send([chunks_message(0, map(reference, raws))])
            await call.answer()


@embedded
async def test_what_a_manifest_and_a_header_disagree_about(node: RunningNode) -> None:
    named = canonical_tar({"package.json": File(b'{"name": "@acme/App", "version": "1.2.3"}')})
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"project": "netops"}, "VALIDATION_FAILED", "header.project"),
        ({"project": "acme.app", "version": "1.2.4"}, "VERSION_CONFLICT", "header.version"),
        ({"project": "acme.app", "bump": pb.VERSION_BUMP_MINOR}, "VERSION_CONFLICT", "header.bump"),
    ]
    for values, reason, violated in cases:
        deployment_id = new_id()
        for _ in range(2):
            with refused(S.INVALID_ARGUMENT, reason) as told:
                await deploy(node, named, deployment_id, **values)
            assert list(told.violations) == [violated]
        failed = await get(node, deployment_id)
        assert (failed.status, failed.error.message) == (d.DEPLOYMENT_STATUS_FAILED, told.message)
    left = await counts(node.catalogue)
    assert {**left, "payload": 0} == NOTHING
    made = await deploy_to_end(node, named, project="acme.app", version="1.2.3")
    assert made.version == "1.2.3"
    assert node.staged == []


async def test_versions_are_never_given_twice(node: RunningNode) -> None:
    made = await deploy_to_end(node, TAR, version="2.0.0-RC.1")
    other = canonical_tar(small_tree("other"))
    deployment_id = new_id()
    for _ in range(2):
        with refused(S.ALREADY_EXISTS, "VERSION_EXISTS") as told:
            await deploy(node, other, deployment_id, version="2.0.0-rc.1")
        assert sha256_of(TAR) in told.message
        assert sha256_of(other) in told.message
    assert (await get(node, deployment_id)).status == d.DEPLOYMENT_STATUS_FAILED
    # The same content is another deployment of the release that is there.
    again = await deploy_to_end(node, TAR, version="2.0.0-rc.1")
    assert (again.version, again.content_sha256) == ("2.0.0-RC.1", made.content_sha256)
    assert (await counts(node.catalogue))["release"] == 1
    for bump, version in (
        (pb.VERSION_BUMP_PATCH, "2.0.0"),
        (pb.VERSION_BUMP_UNSPECIFIED, "2.0.1"),
        (pb.VERSION_BUMP_MINOR, "2.1.0"),
        (pb.VERSION_BUMP_MAJOR, "3.0.0"),
    ):
        assert (await deploy(node, TAR, bump=bump)).version == version
    assert (await deploy(node, TAR)).version == "3.0.1"
