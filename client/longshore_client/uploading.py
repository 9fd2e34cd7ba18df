"""Sending one payload: attempts of one Deploy call until it is recorded or refused.

Every attempt sends the same header but for its number, waits for the server's initial metadata, and goes on
at the durable offset found there. A payload is read anew for every attempt, from its beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from longshore.v1 import deployment_service_pb2
from longshore_chunks.cutting import CuttingParameters

from .connection import Connection, new_request_id, request_metadata
from .errors import (
    ChunkMissing,
    LongshoreError,
    PayloadChanged,
    ServerFault,
    Unavailable,
    UploadIdle,
    UploadInProgress,
)
from .fingerprints import Fingerprints
from .messages import Message, end_message, plain_messages, thrifty_messages
from .payloads import Payload
from .pieces import PieceReader
from .routing import Route, passes_by_itself
from .statuses import translated
from .upload_call import CallEndedError, UploadCall
from .upload_progress import ProgressCallback, UploadPhase, UploadProgress, Way
from .windows import WindowReader

_SENT_UNASKED_BYTES: Final = 32 * 1024
"""All of a payload this small is sent: to ask which chunks the server lacks would take longer."""


class Upload:
    """One payload on its way to one deployment."""

    def __init__(
        self,
        connection: Connection,
        payload: Payload,
        header: deployment_service_pb2.DeployHeader,
        *,
        way: Way,
        cutting: CuttingParameters,
        most_digests: int,
        on_progress: ProgressCallback | None,
    ) -> None:
        self._connection = connection
        self._route = Route(
            connection, most_rounds=connection.policy.transfer_rounds, passes=self._worth_trying_again
        )
        self._payload = payload
        self._header = header
        self._way = way
        self._cutting = cutting
        self._most_digests = most_digests
        self._on_progress = on_progress
        self._fingerprints = Fingerprints()
        self._vanished_references = 0
        self._furthest_durable = -1
        self._done_bytes = self._sent_bytes = self._reused_bytes = 0

    async def run(self) -> deployment_service_pb2.DeployResponse:
        """Send until the server has recorded it. Raises ``LongshoreError``."""
        while True:
            self._header.attempt += 1
            try:
                with self._connection.tracing.span("upload", attempt=self._header.attempt) as sending:
                    answer = await self._attempt()
                    sending.set(sent_bytes=self._sent_bytes, reused_bytes=self._reused_bytes)
                    return answer
            except LongshoreError as error:
                pause_s = self._route.pause_s(error)
                self._tell(UploadPhase.WAITING, error)
            await asyncio.sleep(pause_s)

    async def _attempt(self) -> deployment_service_pb2.DeployResponse:
        request_id = new_request_id()
        server = self._route.server
        call = UploadCall(server.deployments.Deploy(metadata=request_metadata(request_id, server)))
        reader: PieceReader | WindowReader | None = None
        try:
            async with translated(server, request_id):
                offset = await call.accepted_offset(self._header)
                if offset is not None:
                    self._note_accepted(offset)
                    reader = self._reader(offset)
                    is_whole = offset == self._payload.size_bytes or await self._send(call, reader)
                    await call.close_writing()
                    if is_whole:
                        self._tell(UploadPhase.RECORDING)
                answer = await call.answer()
        except ChunkMissing:
            self._vanished_references += 1
            raise
        finally:
            call.cancel()
        if reader is not None and reader.complete:
            _check_recorded(answer, reader.sha256)
        return answer

    def _reader(self, offset: int) -> PieceReader | WindowReader:
        if self._way is Way.PLAIN:
            return PieceReader(self._payload, start_offset=offset, fingerprints=self._fingerprints)
        return WindowReader(
            self._payload, self._cutting, start_offset=offset, fingerprints=self._fingerprints
        )

    async def _send(self, call: UploadCall, reader: PieceReader | WindowReader) -> bool:
        """Send the payload; False when the call ended before, for a reason that its answer tells."""
        async with aclosing(self._messages(reader)) as messages:
            try:
                async for message in messages:
                    await call.write(message.request)
                    self._done_bytes += message.payload_bytes
                    self._sent_bytes += message.sent_bytes
                    self._reused_bytes += message.reused_bytes
                    self._tell(UploadPhase.SENDING)
                await call.write(end_message(reader.size_bytes, reader.sha256))
            except CallEndedError:
                return False
            except LongshoreError:
                # The question about missing chunks failed because the upload did: that says more.
                if not call.ended:
                    raise
                return False
        return True

    def _messages(self, reader: PieceReader | WindowReader) -> AsyncGenerator[Message, None]:
        if isinstance(reader, PieceReader):
            return plain_messages(reader.pieces())
        size_bytes = self._payload.size_bytes
        is_small = size_bytes is not None and size_bytes <= _SENT_UNASKED_BYTES
        references = self._vanished_references == 0 and not is_small
        return thrifty_messages(reader.windows(), self._find_missing, references=references)

    async def _find_missing(self, digests: Sequence[bytes]) -> Sequence[int]:
        missing: list[int] = []
        for begin in range(0, len(digests), self._most_digests):
            answer = await self._connection.unary(
                lambda server: server.deployments.FindMissingChunks,
                deployment_service_pb2.FindMissingChunksRequest(
                    deployment_id=self._header.deployment_id,
                    session_id=self._header.session_id,
                    attempt=self._header.attempt,
                    digests=digests[begin : begin + self._most_digests],
                ),
            )
            missing += [begin + index for index in answer.missing_indexes]
        return missing

    def _note_accepted(self, offset: int) -> None:
        self._route.answered()
        if offset > self._furthest_durable:
            self._furthest_durable = offset
            self._route.progressed()
        self._done_bytes = offset
        self._tell(UploadPhase.ACCEPTED)

    def _tell(self, phase: UploadPhase, error: LongshoreError | None = None) -> None:
        if self._on_progress is not None:
            self._on_progress(
                UploadProgress(
                    deployment_id=self._header.deployment_id,
                    phase=phase,
                    attempt=self._header.attempt,
                    server=self._route.server.address,
                    done_bytes=self._done_bytes,
                    total_bytes=self._payload.size_bytes,
                    sent_bytes=self._sent_bytes,
                    reused_bytes=self._reused_bytes,
                    error=error,
                )
            )

    def _worth_trying_again(self, error: LongshoreError) -> bool:
        match error:
            case Unavailable() | UploadInProgress() | UploadIdle():
                return True
            case ChunkMissing():
                return self._vanished_references == 1
            case ServerFault():
                # The server gives a reason for its own faults; without one the connection broke.
                return not error.reason and error.status != "UNIMPLEMENTED"
            case _:
                return passes_by_itself(error)


def _check_recorded(answer: deployment_service_pb2.DeployResponse, sha256: str) -> None:
    deployment, examined = answer.deployment, answer.validation.payload_sha256
    recorded = deployment.payload_sha256 or examined
    if not recorded or not sha256 or recorded == sha256:
        return
    who, then = f"deployment {deployment.deployment_id} recorded", "take the deployment back"
    if examined:
        who, then = "what was examined has", "examine it again"
    raise PayloadChanged(
        f"{who} the sha256 {recorded}, but what was read has {sha256}: "
        f"it changed since the upload began; {then}"
    )
