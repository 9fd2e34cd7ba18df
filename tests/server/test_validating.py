"""Uploads that are only examined: told what deploying them would come to, and nothing stays of them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from sqlalchemy import select

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.catalogue import tables
from tests.bundles.trees import File

from .calls import (
    UploadCall,
    chunks_message,
    cut,
    data_messages,
    deploy,
    deploy_to_end,
    find_missing,
    header,
    new_id,
    reference,
    refused,
    sha256_of,
)
from .contents import canonical_tar, random_bytes, small_tree
from .running import RunningNode, Stubs, count, embedded
from .test_hostile_archives import file, tar_of

S = grpc.StatusCode
GOOD = canonical_tar(small_tree())
ESCAPING = tar_of(*(file(f"../up/{number}") for number in range(600)))


async def validate(node: Stubs, data: bytes, deployment_id: str = "", **values: Any) -> pb.Validation:
    first = header(deployment_id, validate_only=True, payload_size_bytes=len(data), **values)
    async with UploadCall(node, first) as call:
        await call.send(data_messages(data, start=call.durable_offset))
        await call.call.close_writing()
        answer = await call.call.answer()
    assert not answer.HasField("deployment")
    return answer.validation


async def nothing_stays(node: RunningNode) -> None:
    """Neither rows nor anything that a caller sees; what was stored is garbage for collecting."""
    for table in (tables.deployment, tables.event, tables.finding, tables.upload, tables.deployment_label):
        assert await count(node.catalogue, table) == 0, table.name
    listed = await node.deployments.ListDeployments(pb.ListDeploymentsRequest())
    assert not listed.deployments
    assert not (await node.catalog.ListProjects(catalog.ListProjectsRequest())).projects
    assert not node.staged


async def test_tells_what_would_come_of_it_and_keeps_nothing(node: RunningNode) -> None:
    told = await validate(node, GOOD, labels={"team": "net"})
    assert told.valid
    assert (told.version, told.payload_sha256, told.payload_size_bytes) == (
        "1.0.0",
        sha256_of(GOOD),
        len(GOOD),
    )
    assert told.payload_format == d.PAYLOAD_FORMAT_TAR
    assert told.entries == len(small_tree())
    await nothing_stays(node)
    with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
        await node.catalog.GetProject(catalog.GetProjectRequest(project="netops"))
    # The same bytes are there for a while: deploying after validating sends none of them.
    deployed = await deploy_to_end(node, GOOD)
    assert (deployed.version, deployed.content_sha256) == (told.version, told.content_sha256)
    assert (await node.catalog.GetProject(catalog.GetProjectRequest(project="netops"))).project.project
    again = await validate(node, canonical_tar(small_tree("two")))
    assert (again.valid, again.version) == (True, "1.0.1")


async def test_findings_are_an_answer_not_an_error(node: RunningNode) -> None:
    told = await validate(node, ESCAPING)
    assert not told.valid
    assert (told.version, told.content_sha256, told.total_findings) == ("", "", 600)
    assert len(told.findings) == 500
    assert {(one.code, one.severity) for one in told.findings} == {("PATH_ESCAPES", d.SEVERITY_ERROR)}
    await nothing_stays(node)


@embedded
async def test_what_would_refuse_the_version_is_a_finding(node: RunningNode) -> None:
    await deploy_to_end(node, GOOD, version="2.0.0")
    other = canonical_tar(small_tree("other"))
    taken = await validate(node, other, version="2.0.0")
    assert (taken.valid, [one.code for one in taken.findings]) == (False, ["VERSION_EXISTS"])
    manifest = canonical_tar({"package.json": File(b'{"name": "netops", "version": "3.1.0"}')})
    disagrees = await validate(node, manifest, version="3.2.0")
    assert [one.code for one in disagrees.findings] == ["VERSION_CONFLICT"]
    elsewhere = await validate(node, manifest, project="other")
    assert [one.code for one in elsewhere.findings] == ["VALIDATION_FAILED"]
    same = await validate(node, GOOD, version="2.0.0")
    assert (same.valid, same.version) == (True, "2.0.0")


@embedded
async def test_other_refusals_are_errors_and_keep_nothing_either(node: RunningNode) -> None:
    with refused(S.INVALID_ARGUMENT, "SHA256_MISMATCH"):
        await validate(node, GOOD, payload_sha256="0" * 64)
    with refused(S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND"):
        await validate(node, GOOD, environment="nowhere")
    await nothing_stays(node)


@embedded
async def test_nobody_sees_one_under_way_and_its_id_is_taken(node: RunningNode) -> None:
    deployment_id, data = new_id(), random_bytes(3 << 20)
    first = header(deployment_id, validate_only=True, payload_size_bytes=len(data), file_name="data.bin")
    async with UploadCall(node, first) as call:
        for ask in (
            node.deployments.GetDeployment(pb.GetDeploymentRequest(deployment_id=deployment_id)),
            node.deployments.ListFindings(pb.ListFindingsRequest(deployment_id=deployment_id)),
            node.deployments.CancelDeployment(pb.CancelDeploymentRequest(deployment_id=deployment_id)),
        ):
            with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
                await ask
        with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
            async for _ in node.deployments.StreamProgress(
                pb.StreamProgressRequest(deployment_id=deployment_id)
            ):
                pytest.fail("nothing is told of it")
        assert not (await node.deployments.ListDeployments(pb.ListDeploymentsRequest())).deployments
        for what in (
            node.deployments.Undeploy(pb.UndeployRequest(deployment_id=deployment_id, project="netops")),
            deploy(node, data, deployment_id, payload_size_bytes=len(data)),
        ):
            with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
                await what
        await call.send(data_messages(data))
        await call.call.close_writing()
        assert (await call.call.answer()).validation.valid
    await nothing_stays(node)


async def test_one_that_breaks_off_goes_on_where_it_was(node: RunningNode) -> None:
    deployment_id, data = new_id(), random_bytes(9 << 20)
    first = header(deployment_id, validate_only=True, payload_size_bytes=len(data))
    async with UploadCall(node, first) as call:
        await call.send(data_messages(data[: 5 << 20]))
        with refused(S.INVALID_ARGUMENT, "SIZE_MISMATCH"):
            await call.break_off()
    async with UploadCall(node, first) as call:
        assert call.durable_offset > 0
        await call.send(data_messages(data, start=call.durable_offset))
        await call.call.close_writing()
        assert (await call.call.answer()).validation.payload_sha256 == sha256_of(data)
    await nothing_stays(node)


@embedded
async def test_the_thrifty_way_refers_to_what_is_stored(node: RunningNode) -> None:
    data = random_bytes(2 << 20)
    await deploy_to_end(node, data, file_name="data.bin")
    deployment_id = new_id()
    first = header(
        deployment_id,
        validate_only=True,
        payload_size_bytes=len(data) + 1,
        file_name="data.bin",
        payload_format=d.PAYLOAD_FORMAT_FILE,
    )
    raws = cut(data + b"x")
    async with UploadCall(node, first) as call:
        missing = await find_missing(node, deployment_id, raws)
        assert len(missing) < len(raws)
        pieces = [
            reference(raw) if index not in missing else pb.PayloadChunk(**_named(reference(raw)), raw=raw)
            for index, raw in enumerate(raws)
        ]
        await call.send([chunks_message(0, pieces)])
        await call.call.close_writing()
        assert (await call.call.answer()).validation.version == "1.0.1"


async def test_the_audit_trail_tells_of_it(node: RunningNode) -> None:
    deployment_id = new_id()
    await validate(node, GOOD, deployment_id)
    entries = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(deployment_id=deployment_id))
    actions = [entry.action for entry in entries.entries]
    assert actions[0] == "validation.ended"
    assert actions[-1] == "validation.accepted"
    assert "1.0.0" in entries.entries[0].message


async def test_findings_of_a_deployment_are_paged(node: RunningNode) -> None:
    deployment_id = new_id()
    with refused(S.INVALID_ARGUMENT, "ARCHIVE_INVALID"):
        await deploy(node, ESCAPING, deployment_id, payload_size_bytes=len(ESCAPING))
    found: list[str] = []
    token = ""
    while True:
        page = await node.deployments.ListFindings(
            pb.ListFindingsRequest(deployment_id=deployment_id, page_size=250, page_token=token)
        )
        assert page.total_findings == 600
        found += [one.path for one in page.findings]
        token = page.next_page_token
        if not token:
            break
    assert len(found) == len(set(found)) == 600
    f = tables.finding
    async with node.catalogue.reading() as transaction:
        kept = await transaction.all(select(f.c.number).where(f.c.deployment_id == deployment_id))
    assert len(kept) == 600


def _named(chunk: pb.PayloadChunk) -> dict[str, Any]:
    return {"digest": chunk.digest, "raw_size_bytes": chunk.raw_size_bytes}
