"""One holder's work on an upload: bytes in, then verified, looked into, and recorded.

A broken-off upload makes durable what came, stays RECEIVING, and goes on where its stored part ends, on
whichever node the next call comes to. Only what can never succeed ends it. A session has its place booked
from the beginning, takes it before it needs memory (and tells when it has to wait for that), and leaves it
at its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from types import TracebackType
from typing import Self

import structlog

from longshore_server.refusal import Reason, Refusal
from longshore_server.tracing import describe, span
from longshore_server.translation import refusal_of
from longshore_server.unbroken import to_the_end
from longshore_storage.catalogue import releases
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.errors import CorruptBlob, StorageError
from longshore_storage.payloads import (
    ChunkEntry,
    Hold,
    PayloadWriter,
    Place,
    StoredPayload,
    follow_nothing,
)
from longshore_storage.payloads.errors import (
    OffsetMismatch,
    PackFileDamaged,
    SizeMismatch,
    UploadTakenOver,
)

from .bundle_content import Examined
from .content_check import check_content
from .examining_ahead import ExaminationAhead
from .quotas import Room
from .requests import Header
from .upload_ledger import UploadLedger
from .upload_tools import UploadTools
from .validating import Validated, judge

_log = structlog.get_logger(__name__)

# Waiting for less than this is not worth a word, which costs two transactions.
_TELL_WAITING_AFTER_S = 0.5
# By then whoever waits has the place.
_BACK_AFTER_S = 1.0
# What a store does not take by then is sent again.
_KEEP_WITHIN_S = 20.0


class UploadSession:
    """One holder's work on an upload; ``async with``, and whatever breaks it off leaves it resumable."""

    def __init__(
        self,
        tools: UploadTools,
        header: Header,
        actor: Actor,
        deployment: Deployment,
        *,
        epoch: int,
        place: Place,
        room: Room | None,
    ) -> None:
        self._tools = tools
        self._header = header
        self._actor = actor
        self._ledger = UploadLedger(tools.catalogue, tools.wakeups, actor, deployment, epoch=epoch)
        self._place = place
        self._room = room
        self._stack = AsyncExitStack()
        self._found = ExitStack()
        self._stack.callback(place.leave)
        self._writer: PayloadWriter | None = None
        self._stored: StoredPayload | None = None
        self._ahead: ExaminationAhead[Examined] | None = None

    async def __aenter__(self) -> Self:
        self._running = self._found.enter_context(self._tools.running.entered(self._header))
        try:
            readable = await self._tools.visibility.may_read(self._actor, self._header.project)
            self._stored = await self._stored_already(readable=readable)
            self._hold = await self._begin_to_hold(readable=readable)
        except BaseException as error:
            with self._found:
                await self._stack.aclose()
                await self._leave(error)
            raise
        self._pace = self._tools.pace(self.offset)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._found:
            if self._writer is not None and isinstance(error, asyncio.CancelledError | Refusal):
                await self._writer.keep_what_came(within_s=_KEEP_WITHIN_S)
            try:
                await self._stack.__aexit__(kind, error, trace)
            except BaseException as translated:
                await self._leave(translated)
                raise
            if error is not None:
                await self._leave(error)
        if self._running.gives_way and isinstance(error, asyncio.CancelledError):
            raise UploadTakenOver(self._ledger.deployment.id) from error

    @property
    def durable_bytes(self) -> int:
        """Where the client has to go on; the payload's size when there is nothing to send."""
        if self._stored is not None:
            return self._stored.size_bytes
        assert self._writer is not None
        return self._writer.durable_bytes

    @property
    def offset(self) -> int:
        """Where the bytes end that were taken so far."""
        if self._stored is not None:
            return self._stored.size_bytes
        assert self._writer is not None
        return self._writer.offset

    async def add_data(self, offset: int, data: bytes) -> None:
        """Take the next bytes of the plain way; waits for the upload's turn, and for room."""
        writer = self._open_writer(offset)
        self._check_size(writer.offset + len(data))
        await self._take_place()
        await writer.add_data(offset, data)

    async def add_chunks(self, offset: int, entries: Sequence[ChunkEntry]) -> None:
        """Take the next chunks of the thrifty way; waits as above."""
        writer = self._open_writer(offset)
        self._check_size(writer.offset + sum(entry.raw_size for entry in entries))
        await self._take_place()
        await writer.add_chunks(offset, entries)

    def note_wait(self, waited_s: float) -> None:
        """Note how long the client let the server wait for a message.

        One that trickles while others wait gives its place up: raises ``Refusal``.
        """
        if self._writer is None or not self._pace.is_slow(waited_s, self.offset):
            return
        if self._place.give_up():
            raise Refusal(
                Reason.UPLOAD_TOO_SLOW,
                "other uploads wait for a place, and this one sent less than "
                f"{self._tools.min_rate_bytes_s:.0f} bytes a second (`uploads.min_rate_bytes_s`): call again "
                "with the same deployment_id, and it goes on when its turn comes",
                retry_after_s=_BACK_AFTER_S,
            )

    async def finish(self, declared_size_bytes: int, declared_sha256: str) -> Deployment:
        """Verify, look into, and record what was sent; the deployment is QUEUED when this returns.

        An empty ``declared_sha256`` is not compared.
        """
        stored, found = await self._look_into(declared_size_bytes, declared_sha256)
        try:
            check_content(found.scan, self._header)
        except Refusal:
            await self._ledger.examined(stored, found.scan)
            raise
        self._hold.end()
        with span("upload.record"):
            recorded = await self._ledger.recorded(stored, found, self._header, self._tools.quotas)
            describe(version=recorded.version, status=recorded.status.value)
        self._tools.metrics.upload_recorded(stored)
        return recorded

    async def validate(self, declared_size_bytes: int, declared_sha256: str) -> Validated:
        """Verify and look into what was sent, tell what was found, and drop the upload."""
        stored, found = await self._look_into(declared_size_bytes, declared_sha256)
        await self._ledger.examined(stored, found.scan)
        self._hold.end()
        async with self._tools.catalogue.reading() as transaction:
            validated = await judge(transaction, self._header, stored, found)
        await self._ledger.validated(validated)
        return validated

    async def _look_into(
        self, declared_size_bytes: int, declared_sha256: str
    ) -> tuple[StoredPayload, Examined]:
        await self._take_place()
        if self._stored is None:
            assert self._writer is not None
            with span("upload.store"):
                self._stored = await self._writer.finish(declared_size_bytes, declared_sha256)
                describe(
                    chunks=self._stored.chunk_count,
                    received_bytes=self._stored.received_bytes,
                    reused_bytes=self._stored.reused_bytes,
                    stored_bytes=self._stored.stored_bytes,
                )
        with span("upload.examine"):
            found = await self._tools.examiner.found_ahead(self._ahead)
            describe(ahead=found is not None)
            if found is None:
                await self._ledger.stored(self._stored)
                found = await self._examine(self._stored)
        return self._stored, found

    async def _begin_to_hold(self, *, readable: bool) -> Hold:
        deployment_id, epoch = self._ledger.deployment.id, self._ledger.epoch
        if self._stored is not None:
            return await self._stack.enter_async_context(
                self._tools.payloads.hold(deployment_id=deployment_id, epoch=epoch)
            )
        self._ahead = self._tools.examiner.ahead(self._header.payload_format)
        if self._ahead is not None:
            await self._stack.enter_async_context(self._ahead)
        self._writer = await self._stack.enter_async_context(
            self._tools.payloads.writer(
                deployment_id=deployment_id,
                project=self._header.project,
                epoch=epoch,
                readable=readable,
                place=self._place,
                follow=self._ahead.follow if self._ahead is not None else follow_nothing,
            )
        )
        return self._writer.hold

    async def _take_place(self) -> None:
        """Wait until there is memory for this upload; that it waits is told."""
        if self._place.is_taken:
            return
        before = self._place.join()
        try:
            async with asyncio.timeout(_TELL_WAITING_AFTER_S):
                await self._place.take()
        except TimeoutError:
            await self._ledger.waits(
                f"{self._tools.payloads.settings.uploads_at_once} uploads take bytes on this node just now, "
                f"{before - 1} waited already"
            )
            await self._place.take()
            await self._ledger.goes_on()

    async def _examine(self, stored: StoredPayload) -> Examined:
        try:
            return await self._tools.examiner.examine(
                stored.sha256,
                stored.size_bytes,
                payload_format=self._header.payload_format,
                file_name=self._header.file_name,
                ahead=self._ahead,
            )
        except CorruptBlob as error:
            # Whoever sent it has its bytes still: resumed, it sends what is damaged once more.
            raise PackFileDamaged(f"object {error.key}") from error

    async def _stored_already(self, *, readable: bool) -> StoredPayload | None:
        """The payload, when an earlier session stored all of it, or a release of the project has it.

        The latter counts only where the caller may read it.
        """
        deployment = self._ledger.deployment
        sha256 = deployment.payload_sha256
        if not sha256 and readable:
            async with self._tools.catalogue.reading() as transaction:
                if await releases.has_stored_payload(
                    transaction, deployment.project, self._header.payload_sha256
                ):
                    sha256 = self._header.payload_sha256
        if not sha256:
            return None
        payload = await self._tools.payloads.keep(
            deployment_id=deployment.id, epoch=self._ledger.epoch, sha256=sha256
        )
        if payload is None:
            return None
        declared = self._header.payload_size_bytes
        if declared is not None and declared != payload.size_bytes:
            raise SizeMismatch(declared, payload.size_bytes)
        resumed = bool(deployment.payload_sha256)
        return StoredPayload(
            sha256=payload.sha256,
            size_bytes=payload.size_bytes,
            chunk_count=payload.chunk_count,
            manifest_key=payload.manifest_key,
            received_bytes=deployment.received_bytes,
            reused_bytes=deployment.reused_bytes if resumed else payload.size_bytes,
            stored_bytes=deployment.stored_bytes,
        )

    def _check_size(self, size_bytes: int) -> None:
        self._tools.check_size(size_bytes)
        if self._room is not None:
            self._room.check(size_bytes)

    def _open_writer(self, offset: int) -> PayloadWriter:
        if self._writer is None:
            assert self._stored is not None
            raise OffsetMismatch(self._stored.size_bytes, offset)
        return self._writer

    async def _leave(self, error: BaseException) -> None:
        """Fail the deployment for good where nothing else is left, else leave the upload to be resumed."""
        refusal = refusal_of(error)
        if refusal is not None and refusal.final:
            leaving = self._ledger.failed(refusal)
        else:
            leaving = self._ledger.interrupted()
            if not self._header.validate_only:
                self._tools.left_behind.note(self._actor.principal)
        try:
            # The caller may be cancelled at any moment; what is left behind must not depend on that.
            await to_the_end(leaving)
        except (StorageError, StatusMoved) as trouble:
            _log.warning("upload.left", deployment_id=self._ledger.deployment.id, error=str(trouble))
        self._ledger.wake()
