"""What clients may lie about: offsets, the order of messages, chunks, frames, sizes; a line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from longshore.v1 import deployment_service_pb2 as pb
from longshore_chunks import chunk_digest
from tests.chunks.test_codec import HOSTILE

from .bad_uploads import Bad, end, frame, one_chunk
from .calls import chunk, chunks_message, header, reference, sha256_of
from .contents import canonical_tar, random_bytes, small_tree

S = grpc.StatusCode
TAR = canonical_tar(small_tree())
SIZE, SHA256 = len(TAR), sha256_of(TAR)
LARGEST_CHUNK_BYTES = 256 * 1024
MOST = (1 << 63) - 1

Message = Callable[[int, bytes], pb.DeployRequest]


def plain(offset: int, data: bytes) -> pb.DeployRequest:
    return pb.DeployRequest(data=pb.PayloadData(offset=offset, data=data))


def thrifty(offset: int, data: bytes) -> pb.DeployRequest:
    return chunks_message(offset, [chunk(data)])


WAYS: dict[str, Message] = {"plain": plain, "thrifty": thrifty}


def jump(way: str, name: str, offset: int) -> Bad:
    """A hundred bytes, then some for another place than the next."""
    return Bad(
        f"{way}: {name}",
        "OFFSET_MISMATCH",
        lambda: [WAYS[way](0, TAR[:100]), WAYS[way](offset, TAR[100:150])],
        code=S.OUT_OF_RANGE,
        header={"payload_size_bytes": SIZE},
        says="at byte 100",
    )


def needless(way: str) -> Bad:
    """All bytes of what is stored."""
    return Bad(
        f"{way}: bytes of what is stored",
        "OFFSET_MISMATCH",
        lambda: [WAYS[way](0, TAR)],
        code=S.OUT_OF_RANGE,
        header={"payload_sha256": SHA256},
        says=f"at byte {SIZE}",
    )


JUMPS = [
    jump(way, name, offset)
    for way in WAYS
    for name, offset in {
        "again from the begin": 0,
        "overlapping": 99,
        "one byte left out": 101,
        "beyond the end": SIZE + 1,
        "2^62": 1 << 62,
        "2^63 - 1": MOST,
        "2^63, as the wire has it": -1 << 63,
        "2^64 - 1, as the wire has it": -1,
    }.items()
] + [needless(way) for way in WAYS]


def order(name: str, *messages: pb.DeployRequest, reason: str = "UPLOAD_PROTOCOL", says: str = "") -> Bad:
    return Bad(name, reason, lambda: messages, says=says)


ORDERS = [
    order("two ends", plain(0, TAR), end(SIZE), end(SIZE), says="nothing may follow"),
    order("a header behind the end", plain(0, TAR), end(SIZE), header()),
    order("nothing behind the end", plain(0, TAR), end(SIZE), pb.DeployRequest()),
    order("chunks behind the end", thrifty(0, TAR), end(SIZE), thrifty(0, TAR)),
    order("a header between chunks", thrifty(0, TAR[:9]), header(), thrifty(9, TAR[9:])),
    order("data between chunks", thrifty(0, TAR[:9]), plain(9, TAR[9:]), says="CHUNKS"),
    order("chunks between data", plain(0, TAR[:9]), thrifty(9, TAR[9:]), says="PLAIN"),
    order("an end with half a sha256", plain(0, TAR), end(SIZE, "0" * 32), reason="INVALID_REQUEST"),
    order("an end a byte early", plain(0, TAR), end(SIZE - 1), reason="SIZE_MISMATCH"),
    order("an end a byte late", thrifty(0, TAR), end(SIZE + 1), reason="SIZE_MISMATCH"),
    order("an end at -1", plain(0, TAR), end(-1), reason="SIZE_MISMATCH"),
    order("an end at 2^63 - 1", thrifty(0, TAR), end(MOST), reason="SIZE_MISMATCH"),
]


def sized(message: pb.PayloadChunk, raw_size_bytes: int) -> pb.PayloadChunk:
    message.raw_size_bytes = raw_size_bytes
    return message


def wrong_chunk(name: str, reason: str = "CHUNK_MISMATCH", **values: Any) -> Bad:
    return Bad(name, reason, one_chunk(**values))


CHUNKS = [
    wrong_chunk("no bytes", raw=b"", raw_size_bytes=0, digest=chunk_digest(b"")),
    wrong_chunk("a frame of no bytes", zstd_frame=frame(b""), raw_size_bytes=0),
    wrong_chunk("a reference to no bytes", raw_size_bytes=0, digest=chunk_digest(b"")),
    wrong_chunk("no digest", digest=b"", raw=bytes),
    wrong_chunk("a digest of 33 bytes", digest=bytes(33), raw=bytes),
    wrong_chunk("a size of 2^31 - 1", raw=bytes, raw_size_bytes=(1 << 31) - 1),
    wrong_chunk("raw, its size one too small", raw=bytes, raw_size_bytes=19_999),
    wrong_chunk("raw, its size one too large", raw=bytes, raw_size_bytes=20_001),
    wrong_chunk(
        "framed, its size one too small", "CHUNK_FRAME_INVALID", zstd_frame=frame, raw_size_bytes=19_999
    ),
    wrong_chunk("framed, its size one too large", zstd_frame=frame, raw_size_bytes=20_001),
    order("above the largest", thrifty(0, random_bytes(LARGEST_CHUNK_BYTES + 1)), reason="CHUNK_MISMATCH"),
    order(
        "another size for what was sent before",
        thrifty(0, TAR[:99]),
        chunks_message(99, [sized(reference(TAR[:99]), 98)]),
        reason="CHUNK_MISMATCH",
    ),
    order(
        "single bytes, more than any cutter makes",
        *(thrifty(at, TAR[at : at + 1]) for at in range(1100)),
        says="cut with the server's parameters",
    ),
]
# Every frame that the codec refuses, in a chunk of the largest size that there may be.
FRAMES = [
    wrong_chunk(name, "CHUNK_FRAME_INVALID", zstd_frame=hostile, raw_size_bytes=LARGEST_CHUNK_BYTES)
    for name, (hostile, _) in HOSTILE.items()
]


def too_long(way: str) -> Bad:
    return Bad(
        f"{way}: one byte more than declared",
        "SIZE_MISMATCH",
        lambda: [WAYS[way](0, TAR)],
        header={"payload_size_bytes": SIZE - 1},
        says=f"{SIZE - 1} bytes, {SIZE} were sent",
    )


def disagreeing(way: str) -> Bad:
    return Bad(
        f"{way}: an end with another sha256 than the header",
        "SHA256_MISMATCH",
        lambda: [WAYS[way](0, TAR), end(SIZE, "0" * 64)],
        header={"payload_sha256": "1" * 64},
        says="0" * 64,
    )


FINAL = [
    *map(too_long, WAYS),
    *map(disagreeing, WAYS),
    Bad(
        "bytes where none were declared",
        "SIZE_MISMATCH",
        lambda: [plain(0, TAR)],
        header={"payload_size_bytes": 0},
    ),
    Bad(
        "what is stored, with another size",
        "SIZE_MISMATCH",
        list,
        header={"payload_size_bytes": SIZE + 1, "payload_sha256": SHA256},
        says=f"{SIZE + 1} bytes",
    ),
    Bad(
        "the sha256 of what another project has stored, and other bytes",
        "SHA256_MISMATCH",
        lambda: [plain(0, TAR[:-1] + b"x")],
        header={"project": "other", "payload_size_bytes": SIZE, "payload_sha256": SHA256},
        says=SHA256,
    ),
]
