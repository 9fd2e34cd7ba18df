"""Sending one payload: attempts of one Deploy call until it is recorded or refused.

Every attempt sends the same header but for its number, waits for the server's initial metadata, and goes on
at the durable offset found there. A payload is read anew for every attempt, from its beginning.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import tenacity

from longshore.v1 import deployment_service_pb2
from longshore_chunks.cutting import CuttingParameters

from .connection import Connection, new_request_id, passes_by_itself, request_metadata, wait_s
from .errors import (
    ChunkMissing,
    LongshoreError,
    PayloadChanged,
    ServerFault,
    Unavailable,
    UploadIdle,
    UploadInProgress,
)
from .messages import Message, end_message, plain_messages, thrifty_messages
from .payloads import Payload
from .statuses import translated
from .upload_call import CallEndedError, UploadCall
from .windows import Fingerprints, WindowReader

_TRIES_WITHOUT_PROGRESS: Final = 8


class Way(StrEnum):
    """How a payload's bytes go: only what the server lacks, compressed, or all of them as they are."""

    THRIFTY = "thrifty"
    PLAIN = "plain"


class UploadPhase(StrEnum):
    """What an upload does."""

    ACCEPTED = "accepted"
    SENDING = "sending"
    RECORDING = "recording"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is; sizes in bytes.

    ``done_bytes`` of ``total_bytes`` (None where unknown) were sent, referred to or durable before;
    ``sent_bytes`` went over the wire and ``reused_bytes`` did not, because the server had them.
    In the phase ``WAITING`` the attempt broke off, by ``error``, and is tried again.
    """

    deployment_id: str
    phase: UploadPhase
    attempt: int
    done_bytes: int
    total_bytes: int | None
    sent_bytes: int
    reused_bytes: int
    error: LongshoreError | None = None


ProgressCallback = Callable[[UploadProgress], None]


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
        self._payload = payload
        self._header = header
        self._way = way
        self._cutting = cutting
        self._most_digests = most_digests
        self._on_progress = on_progress
        self._fingerprints = Fingerprints()
        self._vanished_references = 0
        self._tries_without_progress = 0
        self._furthest_durable = -1
        self._done_bytes = self._sent_bytes = self._reused_bytes = 0

    async def run(self) -> deployment_service_pb2.DeployResponse:
        """Send until the server has recorded it. Raises ``LongshoreError``."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._worth_trying_again),
            stop=lambda _: self._tries_without_progress >= _TRIES_WITHOUT_PROGRESS,
            wait=lambda state: wait_s(_error_of(state), self._tries_without_progress),
            before_sleep=lambda state: self._tell(UploadPhase.WAITING, _error_of(state)),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                self._header.attempt = attempt.retry_state.attempt_number
                return await self._attempt()
        raise AssertionError("the loop ends by an answer or an error")

    async def _attempt(self) -> deployment_service_pb2.DeployResponse:
        self._tries_without_progress += 1
        request_id = new_request_id()
        call = UploadCall(self._connection.deployments.Deploy(metadata=request_metadata(request_id)))
        reader: WindowReader | None = None
        try:
            with translated(self._connection.server, request_id):
                offset = await call.accepted_offset(self._header)
                if offset is not None:
                    self._note_accepted(offset)
                    reader = WindowReader(
                        self._payload, self._cutting, start_offset=offset, fingerprints=self._fingerprints
                    )
                    if offset != self._payload.size_bytes:
                        await self._send(call, reader)
                    await call.close_writing()
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

    async def _send(self, call: UploadCall, reader: WindowReader) -> None:
        """Send the payload until its end, or until the call has ended; its answer tells which."""
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
                return
            except LongshoreError:
                # The question about missing chunks failed because the upload did: that says more.
                if not call.ended:
                    raise

    def _messages(self, reader: WindowReader) -> AsyncGenerator[Message, None]:
        if self._way is Way.PLAIN:
            return plain_messages(reader.windows())
        references = self._vanished_references == 0
        return thrifty_messages(reader.windows(), self._find_missing, references=references)

    async def _find_missing(self, digests: Sequence[bytes]) -> Sequence[int]:
        missing: list[int] = []
        for begin in range(0, len(digests), self._most_digests):
            answer = await self._connection.unary(
                self._connection.deployments.FindMissingChunks,
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
        if offset > self._furthest_durable:
            self._furthest_durable = offset
            self._tries_without_progress = 1
        self._done_bytes = offset
        self._tell(UploadPhase.ACCEPTED)

    def _tell(self, phase: UploadPhase, error: LongshoreError | None = None) -> None:
        if self._on_progress is not None:
            self._on_progress(
                UploadProgress(
                    deployment_id=self._header.deployment_id,
                    phase=phase,
                    attempt=self._header.attempt,
                    done_bytes=self._done_bytes,
                    total_bytes=self._payload.size_bytes,
                    sent_bytes=self._sent_bytes,
                    reused_bytes=self._reused_bytes,
                    error=error,
                )
            )

    def _worth_trying_again(self, error: BaseException) -> bool:
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


def _error_of(state: tenacity.RetryCallState) -> LongshoreError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, LongshoreError) else None


def _check_recorded(answer: deployment_service_pb2.DeployResponse, sha256: str) -> None:
    recorded = answer.deployment.payload_sha256
    if recorded and recorded != sha256:
        raise PayloadChanged(
            f"deployment {answer.deployment.deployment_id} recorded the sha256 {recorded}, but what was "
            f"read has {sha256}: it changed since the upload began; take the deployment back"
        )
