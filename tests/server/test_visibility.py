"""What a caller may not read is not there: no sha256, digest or reference tells whether it is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import tables
from longshore_storage.catalogue.rows import Actor

from .calls import (
    Refused,
    UploadCall,
    chunk,
    chunk_messages,
    chunks_message,
    cut,
    deploy,
    deploy_to_end,
    find_missing,
    header,
    new_id,
    reference,
    refused,
    sha256_of,
)
from .contents import canonical_tar, large_tree
from .running import RunningNode, StartNode, count

S = grpc.StatusCode
STORED = canonical_tar(large_tree())
UNKNOWN = canonical_tar(large_tree(9))
STORED_RAWS, UNKNOWN_RAWS = cut(STORED), cut(UNKNOWN)


@dataclass
class Closed:
    """A rule that says no for some projects, and remembers what it was asked."""

    projects: set[str] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)

    async def may_read(self, actor: Actor, project: str) -> bool:
        self.asked.add((actor.principal, project))
        return project not in self.projects


@dataclass(frozen=True)
class Stage:
    node: RunningNode
    rule: Closed


@pytest.fixture
async def stage(start_node: StartNode) -> AsyncIterator[Stage]:
    """A node with a release of ``netops`` that its callers may deploy to, but not read."""
    rule = Closed()
    async with start_node(visibility=rule) as node:
        await deploy_to_end(node, STORED)
        rule.projects.add("netops")
        yield Stage(node, rule)


async def refusal(stage: Stage, messages: Iterable[pb.DeployRequest]) -> Refused:
    with refused(S.FAILED_PRECONDITION, "CHUNK_MISSING") as told:
        async with UploadCall(stage.node, header()) as call:
            await call.send(messages)
            await call.answer()
    return told


async def offset_for(stage: Stage, data: bytes) -> int:
    """Where an upload that declares the payload's sha256 is to begin."""
    values: dict[str, Any] = {"payload_sha256": sha256_of(data), "payload_size_bytes": len(data)}
    async with UploadCall(stage.node, header(new_id(), **values)) as call:
        return call.durable_offset


async def test_a_sha256_tells_nothing(stage: Stage) -> None:
    assert await offset_for(stage, STORED) == await offset_for(stage, UNKNOWN) == 0
    assert stage.rule.asked == {("anonymous", "netops")}
    stage.rule.projects.clear()
    assert await offset_for(stage, STORED) == len(STORED)


async def test_a_digest_tells_nothing(stage: Stage) -> None:
    deployment_id = new_id()
    async with UploadCall(stage.node, header(deployment_id)):
        for raws in (STORED_RAWS, UNKNOWN_RAWS):
            assert await find_missing(stage.node, deployment_id, raws) == list(range(len(raws)))
        # Nothing is kept for the upload either, which collecting would show.
        assert await count(stage.node.catalogue, tables.pin) == 0
        stage.rule.projects.clear()
        assert await find_missing(stage.node, deployment_id, STORED_RAWS) == []


async def test_nobody_asks_about_anothers_upload(stage: Stage) -> None:
    deployment_id = new_id()
    async with UploadCall(stage.node, header(deployment_id)):
        with pytest.raises(Refusal) as caught:
            await stage.node.node.uploads.find_missing(
                deployment_id, deployment_id, 1, [bytes(32)], Actor("somebody")
            )
    assert caught.value.reason is Reason.DEPLOYMENT_NOT_FOUND


async def test_a_reference_tells_nothing(stage: Stage) -> None:
    def told_of(raws: Sequence[bytes], told: Refused) -> str:
        first = next(raw for raw in raws if reference(raw).digest.hex() in told.message)
        return told.message.replace(reference(first).digest.hex(), "DIGEST")

    def at_once(raws: Sequence[bytes]) -> list[pb.DeployRequest]:
        return [chunks_message(0, map(reference, raws[:10]))]

    def behind_bytes(raws: Sequence[bytes]) -> list[pb.DeployRequest]:
        own = b"some bytes of my own"
        return [
            chunks_message(0, [chunk(own)]),
            chunks_message(len(own), [chunk(b"more"), reference(raws[3]), reference(raws[5])]),
        ]

    def of_a_wrong_size(raws: Sequence[bytes]) -> list[pb.DeployRequest]:
        lie = reference(raws[0])
        lie.raw_size_bytes = 1
        return [chunks_message(0, [lie])]

    for make in (at_once, behind_bytes, of_a_wrong_size):
        stored = await refusal(stage, make(STORED_RAWS))
        unknown = await refusal(stage, make(UNKNOWN_RAWS))
        assert told_of(STORED_RAWS, stored) == told_of(UNKNOWN_RAWS, unknown)
        assert {**stored.metadata, "request_id": ""} == {**unknown.metadata, "request_id": ""}


async def test_what_the_upload_sent_itself_may_be_referred_to(stage: Stage) -> None:
    data = STORED + STORED
    raws = [*STORED_RAWS, *STORED_RAWS]
    deployment_id = new_id()
    values: dict[str, Any] = {"payload_format": d.PAYLOAD_FORMAT_FILE, "file_name": "twice"}
    async with UploadCall(stage.node, header(deployment_id, **values)) as call:
        everything = set(range(len(STORED_RAWS)))
        await call.send(chunk_messages(raws, everything))
        made = await call.answer()
    assert (made.status, made.payload_sha256) == (d.DEPLOYMENT_STATUS_QUEUED, sha256_of(data))


@pytest.mark.parametrize("by_chunks", [False, True])
async def test_what_has_arrived_is_not_stored_twice(stage: Stage, by_chunks: bool) -> None:
    before = await count(stage.node.catalogue, tables.pack_file)
    if by_chunks:
        async with UploadCall(stage.node, header()) as call:
            await call.send(chunk_messages(STORED_RAWS, set(range(len(STORED_RAWS)))))
            made = await call.answer()
    else:
        made = await deploy(stage.node, STORED)
    assert made.version == "1.0.1"
    assert made.transfer.received_bytes > len(STORED) / 2
    # Whoever may not know that it was there is told as if it was not.
    assert made.transfer.stored_bytes == len(STORED)
    assert await count(stage.node.catalogue, tables.pack_file) == before
    assert await count(stage.node.catalogue, tables.payload) == 1


async def test_projects_that_may_be_read_are_as_before(stage: Stage) -> None:
    await deploy_to_end(stage.node, STORED, project="open")
    deployment_id = new_id()
    async with UploadCall(stage.node, header(deployment_id, project="open")) as call:
        assert await find_missing(stage.node, deployment_id, STORED_RAWS) == []
        await call.send(chunk_messages(STORED_RAWS, set()))
        assert (await call.answer()).transfer.received_bytes == 0
