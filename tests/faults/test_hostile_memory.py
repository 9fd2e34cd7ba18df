"""What a node holds in memory while clients do their worst: no more than for honest ones."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import zstandard

from longshore.v1 import deployment_service_pb2 as pb
from longshore_chunks import chunk_digest
from longshore_client import upload_call
from longshore_server.deploying.opening import payload_settings
from longshore_server.settings import UploadSettings
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue
from longshore_storage.payloads import PayloadStore
from tests.services.processes import serve
from tests.storage.catalogue.rows import insert_an_upload

from .calls import PROJECT, LargeFile, Stub, Uploading, connected, deployed, refused
from .test_memory import peak_bytes
from .trees import PAYLOAD_1

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")

_MIB = 1 << 20
_AT_ONCE = 4
# Such a client is refused long before.
_ENDLESS = 1_000_000
_LARGEST_CHUNK_BYTES = 256 * 1024
_NOISE = random.Random(1).randbytes(3 * _MIB)
_BOMB = zstandard.ZstdCompressor(level=19).compress(bytes(64 * _MIB))


def chunks(n: int, size_bytes: int, **body: bytes) -> pb.DeployRequest:
    """The n-th chunk, each of ``size_bytes`` as it says."""
    chunk = pb.PayloadChunk(digest=chunk_digest(b"x"), raw_size_bytes=size_bytes)
    for name, value in body.items():
        setattr(chunk, name, value)
    return pb.DeployRequest(chunks=pb.PayloadChunks(offset=n * size_bytes, chunks=[chunk]))


@dataclass(frozen=True)
class Attack:
    """An upload's n-th message, and what refuses it in the end."""

    name: str
    reason: str
    message: Callable[[int], pb.DeployRequest]

    def messages(self) -> Iterator[pb.DeployRequest]:
        return map(self.message, range(_ENDLESS))


ATTACKS = (
    Attack("nothing", "UPLOAD_PROTOCOL", lambda n: pb.DeployRequest()),
    Attack("no data", "UPLOAD_PROTOCOL", lambda n: pb.DeployRequest(data=pb.PayloadData())),
    Attack("single bytes", "UPLOAD_PROTOCOL", lambda n: chunks(n, 1, raw=b"x")),
    Attack("one byte, they say", "CHUNK_MISMATCH", lambda n: chunks(n, 1, raw=_NOISE)),
    Attack("one byte framed, they say", "CHUNK_FRAME_INVALID", lambda n: chunks(n, 1, zstd_frame=_NOISE)),
    Attack("bombs", "CHUNK_FRAME_INVALID", lambda n: chunks(n, _LARGEST_CHUNK_BYTES, zstd_frame=_BOMB)),
    Attack("references", "CHUNK_MISSING", lambda n: chunks(n, _LARGEST_CHUNK_BYTES)),
)


async def refused_in_the_end(stub: Stub, attack: Attack) -> None:
    header = pb.DeployHeader(deployment_id=str(uuid.uuid4()), project=PROJECT)
    call = upload_call.UploadCall(stub.Deploy())
    assert await call.accepted_offset(header) == 0
    with pytest.raises(upload_call.CallEndedError):
        for message in attack.messages():
            await call.write(message)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.answer()
    assert refused(caught.value).reason == attack.reason, attack.name


async def test_uploads_without_end(place: Path) -> None:
    """Of each several at once; they cost no more than as many honest ones may."""
    bound = _AT_ONCE * payload_settings(UploadSettings()).upload_bytes
    async with serve(data_dir=place / "node") as server, connected(server) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))
        before = peak_bytes(server.pid)
        for attack in ATTACKS:
            await asyncio.gather(*(refused_in_the_end(stub, attack) for _ in range(_AT_ONCE)))
            grown = peak_bytes(server.pid) - before
            assert grown <= bound, f"{attack.name}: +{grown >> 20} MiB, the bound is {bound >> 20}"


async def test_downloads_that_nobody_reads(place: Path) -> None:
    """They wait, whatever is left of the payload, and nobody waits for them."""
    bound = _AT_ONCE * payload_settings(UploadSettings()).stream_bytes
    async with serve(data_dir=place / "node") as server, connected(server) as stub:
        file = LargeFile(bound, random.Random(1))
        await file.upload(stub)
        before = peak_bytes(server.pid)
        request = pb.DownloadPayloadRequest(project=PROJECT, version="1.0.0")
        unread = [stub.DownloadPayload(request) for _ in range(_AT_ONCE)]
        for call in unread:
            first = await call.read()
            assert isinstance(first, pb.DownloadPayloadResponse)
            assert first.info.size_bytes == bound
        await deployed(stub, Uploading(PAYLOAD_1, project="other"))
        grown = peak_bytes(server.pid) - before
        for call in unread:
            call.cancel()
    assert grown <= bound, f"+{grown >> 20} MiB, the bound is {bound >> 20}"


async def test_messages_of_two_bytes(tmp_path: Path) -> None:
    """What one costs beside its bytes must not add up."""
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
    await catalogue.migrate()
    async with (
        open_blob_store(f"file://{tmp_path}/blobs") as blobs,
        PayloadStore(catalogue, blobs) as store,
    ):
        deployment_id = await insert_an_upload(catalogue)
        async with store.writer(deployment_id=deployment_id, project="netops", epoch=1) as writer:
            await writer.add_data(0, _NOISE[:2])
            tracemalloc.start()
            try:
                for at in range(2, 100_000, 2):
                    await writer.add_data(at, _NOISE[at : at + 2])
                held, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    await catalogue.close()
    assert held < _MIB, f"{held} bytes for 100,000"
