"""Downloads from servers that send other bytes than they promise: told, and nothing is left."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from longshore.v1 import deployment_service_pb2 as pb
from longshore_client import Client, errors

PIECE = 1000
PAYLOAD = bytes(range(250)) * 40
OTHER = b"x" * len(PAYLOAD)


@dataclass
class Liar:
    """Describes ``PAYLOAD`` and sends these messages, one list a call; the last but one call breaks off."""

    calls: list[list[pb.DownloadPayloadResponse]] = field(default_factory=list)

    async def download_payload(
        self, request: pb.DownloadPayloadRequest, context: Any
    ) -> AsyncIterator[pb.DownloadPayloadResponse]:
        messages = self.calls.pop(0)
        for message in messages:
            yield message
        if self.calls:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _info(payload: bytes) -> pb.PayloadInfo:
    return pb.PayloadInfo(payload_sha256=hashlib.sha256(payload).hexdigest(), size_bytes=len(payload))


def _messages(sent: bytes, *, begin: int = 0, described: bytes = PAYLOAD) -> list[pb.DownloadPayloadResponse]:
    first = pb.DownloadPayloadResponse(info=_info(described), offset=begin)
    return [
        first,
        *(
            pb.DownloadPayloadResponse(offset=at, data=sent[at : at + PIECE])
            for at in range(begin, len(sent), PIECE)
        ),
    ]


@pytest.fixture
async def liar() -> AsyncIterator[tuple[Liar, Client]]:
    told = Liar()
    server = aio.server()
    handler = grpc.unary_stream_rpc_method_handler(
        told.download_payload,
        request_deserializer=pb.DownloadPayloadRequest.FromString,
        response_serializer=pb.DownloadPayloadResponse.SerializeToString,
    )
    service = pb.DESCRIPTOR.services_by_name["DeploymentService"].full_name
    methods = {"DownloadPayload": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with Client(f"127.0.0.1:{port}") as client:
        yield told, client
    await server.stop(None)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([_messages(PAYLOAD[:-1] + b"x")], "sha256"),
        ([_messages(b"x" + PAYLOAD[1:])], "sha256"),
        ([_messages(PAYLOAD[:-PIECE])], "9000 bytes"),
        ([_messages(PAYLOAD + b"x" * PIECE)], "11000 bytes"),
        ([_messages(PAYLOAD)[:3] + _messages(PAYLOAD)[4:]], "where 2000 was next"),
        ([_messages(PAYLOAD)[1:]], "before it described"),
        ([_messages(PAYLOAD)[:4], _messages(OTHER, begin=3 * PIECE)], "sha256"),
        (
            [_messages(PAYLOAD)[:4], _messages(OTHER, begin=3 * PIECE, described=OTHER)],
            "another payload came after a break",
        ),
    ],
    ids=["last byte", "first byte", "cut off", "too long", "gap", "no info", "after a break", "another one"],
)
async def test_other_bytes_are_told_and_leave_nothing(
    liar: tuple[Liar, Client], tmp_path: Path, calls: list[list[pb.DownloadPayloadResponse]], words: str
) -> None:
    told, client = liar
    told.calls = [list(messages) for messages in calls]
    with pytest.raises(errors.DownloadDamaged, match=words):
        async for _ in client.read_payload("web", "1.0.0"):
            pass
    told.calls = [list(messages) for messages in calls]
    with pytest.raises(errors.DownloadDamaged, match=words):
        await client.download("web", "1.0.0", tmp_path / "payload")
    assert not _names(tmp_path)


async def test_the_same_bytes_over_a_break_are_taken(liar: tuple[Liar, Client], tmp_path: Path) -> None:
    told, client = liar
    told.calls = [_messages(PAYLOAD)[:4], _messages(PAYLOAD, begin=3 * PIECE)]
    download = await client.download("web", "1.0.0", tmp_path / "payload")
    assert download.path.read_bytes() == PAYLOAD
