"""One Deploy call: header, accepted metadata, then data or chunks, then the answer.

Owns the order of messages and the idle time-out, which runs only while the server is reading: a client is
never blamed for a slow store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from longshore.v1 import deployment_pb2
from longshore.v1 import deployment_service_pb2 as pb
from longshore_bundles import Bump
from longshore_server.deploying.requests import Header, check_sha256
from longshore_server.deploying.upload_session import UploadSession
from longshore_server.deploying.uploads import Uploads
from longshore_server.deploying.validating import Validated
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.tracing import describe, span, store_use
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.payloads import ChunkEntry
from longshore_storage.payloads.errors import UploadTakenOver

from . import convert
from .admission import check_again
from .asked import check_wait_policy, terms_of
from .interceptor import REQUEST_ID_KEY
from .wire_limits import LARGEST_DATA_BYTES, MOST_CHUNKS_IN_A_MESSAGE

_BUMPS = {
    pb.VERSION_BUMP_UNSPECIFIED: Bump.PATCH,
    pb.VERSION_BUMP_PATCH: Bump.PATCH,
    pb.VERSION_BUMP_MINOR: Bump.MINOR,
    pb.VERSION_BUMP_MAJOR: Bump.MAJOR,
}
# Messages that carry nothing are free to send; a client that sends only those is not uploading.
_MOST_EMPTY_MESSAGES = 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an upload became, and until when its caller wants to wait."""

    deployment: Deployment
    wait_policy: int


class UploadCall:
    """Handles one call; see the module."""

    def __init__(
        self,
        uploads: Uploads,
        requests: AsyncIterator[pb.DeployRequest],
        context: Any,
        actor: Actor,
        *,
        idle_timeout_s: float,
    ) -> None:
        self._uploads = uploads
        self._requests = requests
        self._context = context
        self._actor = actor
        self._idle_timeout_s = idle_timeout_s

    async def handle(self) -> Recorded | Validated:
        """Take the upload and tell the deployment as recorded, or what was found; raises what refuses it."""
        message = _opening(await self._read())
        check_wait_policy("header.wait_policy", message.wait_policy)
        header = _header(message)
        describe(deployment_id=header.deployment_id, project=header.project, environment=header.environment)
        with self._uploads.counted(), store_use():
            try:
                taken = await self._take(header)
            except UploadTakenOver:
                # By whoever cancelled it, perhaps.
                await self._uploads.check_open(header.deployment_id)
                raise
        return taken if isinstance(taken, Validated) else Recorded(taken, message.wait_policy)

    async def _take(self, header: Header) -> Deployment | Validated:
        accepted = await self._uploads.accept(header, self._actor)
        if isinstance(accepted, Deployment):
            await self._accept(accepted.payload_size_bytes or 0)
            return accepted
        async with accepted as session:
            await self._accept(session.durable_bytes)
            with span("upload.receive"):
                end = await self._receive(session)
                describe(payload_bytes=session.offset)
            declared = self._declared(header, session.offset, end)
            if header.validate_only:
                return await session.validate(*declared)
            await check_again()
            return await session.finish(*declared)

    def _declared(self, header: Header, sent_bytes: int, end: pb.PayloadEnd | None) -> tuple[int, str]:
        """The declared size and sha256 of a payload that was sent whole; raises ``Refusal`` otherwise.

        The end of a call that was cut looks like the end of what was sent, so that less than was declared is
        a broken-off upload, whose deployment goes on.
        """
        size = header.payload_size_bytes if end is None else end.payload_size_bytes
        if size is None:
            raise Refusal(
                Reason.UPLOAD_PROTOCOL,
                f"the upload ended after {sent_bytes} bytes without `end`, and the header declares no size: "
                "declare the size, or send `end` after the last byte",
            )
        if sent_bytes != size:
            raise Refusal(
                Reason.SIZE_MISMATCH,
                f"the upload ended after {sent_bytes} of {size} declared bytes: go on with the same "
                "deployment_id, or declare the true size with a new one",
                resumable=True,
            )
        sent_sha256 = end.payload_sha256.lower() if end is not None else ""
        if sent_sha256 and header.payload_sha256 not in ("", sent_sha256):
            raise Refusal(
                Reason.SHA256_MISMATCH,
                f"the payload has sha256 {sent_sha256}, the header declared {header.payload_sha256}",
            )
        declared_size = size if header.payload_size_bytes is None else header.payload_size_bytes
        return declared_size, sent_sha256 or header.payload_sha256

    async def _accept(self, durable_bytes: int) -> None:
        await self._context.send_initial_metadata(
            (
                (REQUEST_ID_KEY, self._actor.request_id),
                ("longshore-accepted", "1"),
                ("longshore-durable-offset", str(durable_bytes)),
            )
        )

    async def _receive(self, session: UploadSession) -> pb.PayloadEnd | None:
        """Take everything up to the end of the call; gives back ``end`` where it was sent."""
        empty = 0
        end: pb.PayloadEnd | None = None
        while (request := await self._next(session)) is not None:
            if end is not None:
                raise Refusal(Reason.UPLOAD_PROTOCOL, "nothing may follow `end`")
            match request.WhichOneof("message"):
                case "data":
                    # Every look at a field of bytes copies it: one look.
                    data = request.data.data
                    if len(data) > LARGEST_DATA_BYTES:
                        raise invalid("data.data", f"must be at most {LARGEST_DATA_BYTES} bytes a message")
                    empty += not data
                    await session.add_data(request.data.offset, data)
                case "chunks":
                    if len(request.chunks.chunks) > MOST_CHUNKS_IN_A_MESSAGE:
                        raise invalid(
                            "chunks.chunks", f"must be at most {MOST_CHUNKS_IN_A_MESSAGE} a message"
                        )
                    empty += not request.chunks.chunks
                    entries = [_entry(chunk) for chunk in request.chunks.chunks]
                    await session.add_chunks(request.chunks.offset, entries)
                case "header":
                    raise Refusal(Reason.UPLOAD_PROTOCOL, "the header comes first and once")
                case "end":
                    end = request.end
                    check_sha256("end.payload_sha256", end.payload_sha256)
                case _:
                    empty += 1
            if empty > _MOST_EMPTY_MESSAGES:
                raise Refusal(
                    Reason.UPLOAD_PROTOCOL, f"more than {_MOST_EMPTY_MESSAGES} messages carried nothing"
                )
        return end

    async def _next(self, session: UploadSession) -> pb.DeployRequest | None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        request = await self._read()
        if request is not None:
            session.note_wait(loop.time() - begun_s)
        return request

    async def _read(self) -> pb.DeployRequest | None:
        try:
            async with asyncio.timeout(self._idle_timeout_s):
                return await anext(self._requests, None)
        except TimeoutError:
            raise Refusal(
                Reason.UPLOAD_IDLE,
                f"nothing was sent for {self._idle_timeout_s:g} s: call again with the same deployment_id",
                retry_after_s=0,
            ) from None


def _opening(first: pb.DeployRequest | None) -> pb.DeployHeader:
    if first is None or first.WhichOneof("message") != "header":
        raise Refusal(Reason.UPLOAD_PROTOCOL, "the first message must be the header")
    return first.header


def _header(header: pb.DeployHeader) -> Header:
    version = header.WhichOneof("version_choice")
    if header.bump not in _BUMPS:
        raise invalid("header.bump", f"{header.bump} is no VersionBump")
    return Header(
        deployment_id=header.deployment_id,
        session_id=header.session_id,
        attempt=header.attempt,
        project=header.project,
        environment=header.environment,
        payload_format=_format(header.payload_format),
        file_name=header.file_name,
        version=header.version,
        bump=_BUMPS[header.bump] if version == "bump" else None,
        payload_size_bytes=header.payload_size_bytes if header.HasField("payload_size_bytes") else None,
        payload_sha256=header.payload_sha256,
        terms=terms_of(header, prefix="header."),
        validate_only=header.validate_only,
        skip_validation=header.skip_validation,
        skip_tests=header.skip_tests,
        bundle_kind=convert.kind_in(header),
        source=convert.source_in(header),
        install_method=convert.method_in(header),
    ).checked()


def _format(number: deployment_pb2.PayloadFormat.ValueType) -> str:
    try:
        return convert.format_name(number)
    except ValueError:
        raise invalid("header.payload_format", f"{number} is no PayloadFormat") from None


def _entry(chunk: pb.PayloadChunk) -> ChunkEntry:
    body = chunk.WhichOneof("body")
    return ChunkEntry(
        digest=chunk.digest,
        raw_size=chunk.raw_size_bytes,
        raw=chunk.raw if body == "raw" else None,
        zstd_frame=chunk.zstd_frame if body == "zstd_frame" else None,
    )
