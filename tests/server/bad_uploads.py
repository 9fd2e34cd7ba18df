"""Uploads that are refused, as tables tell them, and what is checked of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import zstandard

from longshore.v1 import deployment_service_pb2 as pb
from longshore_chunks import chunk_digest

from .calls import Refused, UploadCall, chunks_message, header, refused
from .contents import text_bytes
from .running import RunningNode

S = grpc.StatusCode
NOTHING = {"release": 0, "payload": 0, "upload": 0, "upload_segment": 0, "pin": 0}


@dataclass(frozen=True)
class Bad:
    """An upload that is refused: its header's fields and its messages."""

    name: str
    reason: str
    messages: Callable[[], Iterable[pb.DeployRequest]]
    code: grpc.StatusCode = S.INVALID_ARGUMENT
    header: dict[str, Any] = field(default_factory=dict)
    says: str = ""

    def __str__(self) -> str:
        return self.name


async def send(node: RunningNode, bad: Bad, deployment_id: str) -> Refused:
    messages = list(bad.messages())
    with refused(bad.code, bad.reason) as told:
        async with UploadCall(node, header(deployment_id, **bad.header)) as call:
            await call.send(messages)
            # Who has sent an end of his own gets no other one.
            is_ended = any(message.HasField("end") for message in messages)
            await (call.break_off() if is_ended else call.answer())
    assert bad.says in told.message, told.message
    return told


@contextmanager
def told(bad: Bad) -> Iterator[None]:
    """Name the upload in whatever fails in the block: one node is used for many."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"upload: {bad}")
        raise


def one_chunk(**values: Any) -> Callable[[], list[pb.DeployRequest]]:
    raw = text_bytes(20_000)
    message = pb.PayloadChunk(digest=chunk_digest(raw), raw_size_bytes=len(raw))
    for name, value in values.items():
        setattr(message, name, value(raw) if callable(value) else value)
    return lambda: [chunks_message(0, [message])]


def frame(raw: bytes, **parameters: Any) -> bytes:
    return zstandard.ZstdCompressor(**parameters).compress(raw)


def end(size_bytes: int, sha256: str = "") -> pb.DeployRequest:
    return pb.DeployRequest(end=pb.PayloadEnd(payload_size_bytes=size_bytes, payload_sha256=sha256))
