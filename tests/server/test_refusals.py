"""Uploads that are refused for what they send: a clear error each, and nothing left behind.

What can never succeed ends the deployment, which keeps its error; everything else leaves an upload that the
right bytes complete.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc
import pytest
import zstandard

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb

from .bad_uploads import NOTHING, Bad, end, frame, one_chunk, send
from .calls import (
    MIB,
    UploadCall,
    chunk,
    chunks_message,
    cut,
    data_messages,
    deploy,
    ended,
    get,
    header,
    new_id,
    reference,
    refused,
    sha256_of,
    status_name,
)
from .contents import canonical_tar, small_tree
from .running import RunningNode, counts, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())


async def audited(node: RunningNode, deployment_id: str) -> list[tuple[str, str]]:
    listed = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(deployment_id=deployment_id))
    return [(one.action, status_name(one.to_status)) for one in listed.entries]


FINAL = [
    Bad(
        "sha256",
        "SHA256_MISMATCH",
        lambda: data_messages(TAR),
        header={"payload_sha256": "0" * 64},
        says=sha256_of(TAR),
    ),
    Bad(
        "sha256 of chunks",
        "SHA256_MISMATCH",
        lambda: [chunks_message(0, map(chunk, cut(TAR)))],
        header={"payload_sha256": "0" * 64},
        says="0" * 64,
    ),
    Bad(
        "more bytes",
        "SIZE_MISMATCH",
        lambda: data_messages(TAR, size=1000),
        header={"payload_size_bytes": 1500},
        says="1500 bytes",
    ),
    Bad(
        "more chunks",
        "SIZE_MISMATCH",
        lambda: [chunks_message(0, map(chunk, cut(TAR)))],
        header={"payload_size_bytes": 1},
        says="1 bytes",
    ),
    Bad("nothing", "PAYLOAD_EMPTY", list),
    Bad("nothing, as declared", "PAYLOAD_EMPTY", list, header={"payload_size_bytes": 0}),
]


@pytest.mark.parametrize("bad", FINAL, ids=str)
@embedded
async def test_what_can_never_succeed(node: RunningNode, bad: Bad) -> None:
    deployment_id = new_id()
    told = await send(node, bad, deployment_id)
    assert await counts(node.catalogue) == NOTHING
    assert node.staged == []
    failed = await get(node, deployment_id)
    assert (failed.status, failed.version) == (d.DEPLOYMENT_STATUS_FAILED, "")
    assert failed.error.message == told.message
    assert failed.end_time.seconds
    assert not failed.payload_present
    assert (await audited(node, deployment_id))[0] == ("deployment.refused", "FAILED")
    # The same call again gets the same error; it is not begun anew.
    with refused(bad.code, bad.reason) as again:
        await deploy(node, TAR, deployment_id, **bad.header)
    assert (again.message, again.violations) == (told.message, told.violations)
    assert (await get(node, deployment_id)).last_sequence == failed.last_sequence


def framed_with_window(raw: bytes) -> bytes:
    """The content's size in the header, and a window that is far larger."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=23)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=8 * MIB)
    return compressor.compress(b"\0" * 8 * MIB) + compressor.flush()


RESUMABLE = [
    Bad(
        "unknown reference",
        "CHUNK_MISSING",
        one_chunk(),
        code=S.FAILED_PRECONDITION,
        says="ask for missing chunks again",
    ),
    Bad("wrong digest", "CHUNK_MISMATCH", one_chunk(raw=lambda raw: b"x" + raw[1:])),
    Bad("wrong digest in a frame", "CHUNK_MISMATCH", one_chunk(zstd_frame=lambda raw: frame(b"x" + raw[1:]))),
    Bad("raw too short", "CHUNK_MISMATCH", one_chunk(raw=lambda raw: raw[1:])),
    Bad("raw too long", "CHUNK_MISMATCH", one_chunk(raw=lambda raw: raw + b"x")),
    Bad("short digest", "CHUNK_MISMATCH", one_chunk(digest=b"\1" * 31, raw=lambda raw: raw)),
    Bad("no size", "CHUNK_MISMATCH", one_chunk(raw_size_bytes=0, raw=lambda raw: raw)),
    Bad("negative size", "CHUNK_MISMATCH", one_chunk(raw_size_bytes=-1, raw=lambda raw: raw)),
    Bad("larger than a chunk", "CHUNK_MISMATCH", one_chunk(raw_size_bytes=(256 << 10) + 1, raw=b"x")),
    Bad("no frame", "CHUNK_FRAME_INVALID", one_chunk(zstd_frame=b"nonsense" * 10)),
    Bad("empty frame", "CHUNK_FRAME_INVALID", one_chunk(zstd_frame=b"")),
    Bad(
        "bomb",
        "CHUNK_FRAME_INVALID",
        one_chunk(zstd_frame=lambda _: frame(b"\0" * 64 * MIB)),
    ),
    Bad(
        "bomb that declares less",
        "CHUNK_FRAME_INVALID",
        one_chunk(zstd_frame=lambda raw: frame(raw + b"\0" * 100_000)),
    ),
    Bad("bytes behind", "CHUNK_FRAME_INVALID", one_chunk(zstd_frame=lambda raw: frame(raw) + b"\0")),
    Bad("two frames", "CHUNK_FRAME_INVALID", one_chunk(zstd_frame=lambda raw: frame(raw) * 2)),
    Bad("cut short", "CHUNK_FRAME_INVALID", one_chunk(zstd_frame=lambda raw: frame(raw)[:-5])),
    Bad("window", "CHUNK_FRAME_INVALID", one_chunk(zstd_frame=framed_with_window)),
    Bad(
        "no content size",
        "CHUNK_FRAME_INVALID",
        one_chunk(zstd_frame=lambda raw: frame(raw, write_content_size=False)),
    ),
    Bad(
        "chunks far too small",
        "UPLOAD_PROTOCOL",
        lambda: [chunks_message(0, [chunk(bytes([i % 256])) for i in range(1100)])],
        says="cut with the server's parameters",
    ),
    Bad(
        "too many chunks in a message",
        "INVALID_REQUEST",
        lambda: [chunks_message(0, [reference(b"x")] * 10_001)],
    ),
    Bad(
        "chunks after data",
        "UPLOAD_PROTOCOL",
        lambda: [*data_messages(TAR[:1000]), chunks_message(1000, [chunk(b"x")])],
        says="PLAIN",
    ),
    Bad(
        "data after chunks",
        "UPLOAD_PROTOCOL",
        lambda: [chunks_message(0, [chunk(TAR)]), *data_messages(TAR + b"x", start=len(TAR))],
        says="CHUNKS",
    ),
    Bad(
        "a gap",
        "OFFSET_MISMATCH",
        lambda: [*data_messages(TAR[:100]), pb.DeployRequest(data=pb.PayloadData(offset=101, data=b"x"))],
        code=S.OUT_OF_RANGE,
        says="at byte 100",
    ),
    Bad(
        "a step back",
        "OFFSET_MISMATCH",
        lambda: [*data_messages(TAR[:100]), *data_messages(TAR[:100])],
        code=S.OUT_OF_RANGE,
    ),
    Bad(
        "a negative offset",
        "OFFSET_MISMATCH",
        lambda: [pb.DeployRequest(data=pb.PayloadData(offset=-1, data=b"x"))],
        code=S.OUT_OF_RANGE,
    ),
    Bad(
        "a gap between chunks",
        "OFFSET_MISMATCH",
        lambda: [chunks_message(1, [chunk(b"x")])],
        code=S.OUT_OF_RANGE,
    ),
    Bad("a second header", "UPLOAD_PROTOCOL", lambda: [*data_messages(TAR[:10]), header()]),
    Bad("empty messages", "UPLOAD_PROTOCOL", lambda: [pb.DeployRequest()] * 1001, says="1000"),
    Bad(
        "empty data",
        "UPLOAD_PROTOCOL",
        lambda: [pb.DeployRequest(data=pb.PayloadData())] * 1001,
    ),
    Bad("empty chunks", "UPLOAD_PROTOCOL", lambda: [chunks_message(0, [])] * 1001),
    Bad(
        "a message too large",
        "INVALID_REQUEST",
        lambda: data_messages(b"x" * (2 * MIB + 1), size=3 * MIB),
        says="2097152",
    ),
]


@pytest.mark.parametrize("bad", RESUMABLE, ids=str)
@embedded
async def test_what_may_be_sent_better(node: RunningNode, bad: Bad) -> None:
    deployment_id = new_id()
    told = await send(node, bad, deployment_id)
    if bad.reason == "INVALID_REQUEST":
        assert told.violations
    if bad.reason == "OFFSET_MISMATCH":
        assert int(told.metadata["expected_offset"]) <= 100
    left = await counts(node.catalogue)
    assert (left["release"], left["payload"], left["upload"]) == (0, 0, 1)
    broken = await get(node, deployment_id)
    assert (broken.status, broken.status_reason) == (d.DEPLOYMENT_STATUS_RECEIVING, "interrupted")
    assert "same deployment_id" in broken.status_message
    # The same id and header go on where the stored part ends, the same way.
    async with UploadCall(node, header(deployment_id)) as call:
        assert call.durable_offset == 0
        await call.send(messages_of_the_way(bad))
        assert (await call.answer()).status == d.DEPLOYMENT_STATUS_QUEUED
    assert (await ended(node, deployment_id)).live
    assert await counts(node.catalogue) == {**NOTHING, "release": 1, "payload": 1}
    assert node.staged == []


BROKEN_OFF = [
    Bad(
        "fewer bytes",
        "SIZE_MISMATCH",
        lambda: data_messages(TAR[:-1]),
        header={"payload_size_bytes": len(TAR)},
    ),
    Bad(
        "fewer chunks",
        "SIZE_MISMATCH",
        lambda: [chunks_message(0, [chunk(TAR[:99])])],
        header={"payload_size_bytes": len(TAR)},
    ),
    Bad("nothing of it", "SIZE_MISMATCH", list, header={"payload_size_bytes": len(TAR)}),
    Bad("no size and no end", "UPLOAD_PROTOCOL", lambda: data_messages(TAR), says="declare the size"),
    Bad("an end that comes too early", "SIZE_MISMATCH", lambda: [*data_messages(TAR[:99]), end(len(TAR))]),
    Bad(
        "bytes behind the end",
        "UPLOAD_PROTOCOL",
        lambda: [end(9), *data_messages(TAR)],
        says="nothing may follow",
    ),
    Bad(
        "an end that disagrees",
        "SIZE_MISMATCH",
        lambda: [*data_messages(TAR), end(9)],
        header={"payload_size_bytes": len(TAR)},
    ),
]


@pytest.mark.parametrize("bad", BROKEN_OFF, ids=str)
@embedded
async def test_the_end_of_a_cut_call_is_not_taken_for_the_end_of_the_payload(
    node: RunningNode, bad: Bad
) -> None:
    deployment_id = new_id()
    with refused(bad.code, bad.reason) as told:
        async with UploadCall(node, header(deployment_id, **bad.header)) as call:
            await call.send(bad.messages())
            await call.break_off()
    assert bad.says in told.message
    broken = await get(node, deployment_id)
    assert (broken.status, broken.status_reason) == (d.DEPLOYMENT_STATUS_RECEIVING, "interrupted")
    async with UploadCall(node, header(deployment_id, **bad.header)) as call:
        await call.send(messages_of_the_way(bad, call.durable_offset))
        assert (await call.answer()).status == d.DEPLOYMENT_STATUS_QUEUED


@embedded
async def test_the_end_tells_a_sha256_that_is_compared(node: RunningNode) -> None:
    for sha256, refusal in ((sha256_of(TAR), None), ("0" * 64, "SHA256_MISMATCH")):
        async with UploadCall(node, header()) as call:
            await call.send([*data_messages(TAR), end(len(TAR), sha256)])
            if refusal is None:
                assert (await call.break_off()).payload_sha256 == sha256
            else:
                with refused(S.INVALID_ARGUMENT, refusal):
                    await call.break_off()


def messages_of_the_way(bad: Bad, begin: int = 0) -> Iterable[pb.DeployRequest]:
    """The right bytes from ``begin`` on, the way in which the wrong ones came."""
    first = next(iter(bad.messages()), None)
    if first is not None and first.HasField("chunks"):
        return [chunks_message(begin, [chunk(TAR[begin:])])]
    return data_messages(TAR, start=begin)
