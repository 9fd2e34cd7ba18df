"""One holder's work on an upload: bytes in, then verified, looked into, and recorded.

A broken-off upload stays RECEIVING and goes on where its stored part ends, on whichever node the next call
comes to. Only what can never succeed ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

import structlog

from longshore_bundles import BundleScan, PayloadFormat
from longshore_server.findings import told
from longshore_server.refusal import MOST_FINDINGS_TOLD, Reason, Refusal
from longshore_server.translation import refusal_of
from longshore_server.unbroken import to_the_end
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import (
    Catalogue,
    Transaction,
    deployments,
    releases,
    uploads,
)
from longshore_storage.catalogue.journal import StatusMoved, append_event, change_status
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.errors import CommitUnknown, CorruptBlob, StorageError
from longshore_storage.payloads import ChunkEntry, PayloadStore, PayloadWriter, StoredPayload
from longshore_storage.payloads.errors import (
    OffsetMismatch,
    PackFileDamaged,
    SizeMismatch,
    UploadTakenOver,
)

from .examining import Examiner
from .recording import Content, record_upload
from .requests import Header

_log = structlog.get_logger(__name__)

_INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class UploadTools:
    """What every upload of a node works with."""

    catalogue: Catalogue
    payloads: PayloadStore
    examiner: Examiner
    wakeups: Wakeups
    max_payload_bytes: int

    def check_size(self, size_bytes: int) -> None:
        """Raise ``Refusal`` for a payload that is too large."""
        if size_bytes > self.max_payload_bytes:
            raise Refusal(
                Reason.LIMIT_EXCEEDED,
                f"the payload has more than {self.max_payload_bytes} bytes, the limit of this server "
                "(`uploads.max_payload_bytes`)",
            )


class UploadSession:
    """One holder's work on an upload; ``async with``, and whatever breaks it off leaves it resumable."""

    def __init__(
        self, tools: UploadTools, header: Header, actor: Actor, deployment: Deployment, epoch: int
    ) -> None:
        self._tools = tools
        self._catalogue = tools.catalogue
        self._header = header
        self._actor = actor
        self._deployment = deployment
        self._epoch = epoch
        self._stack = AsyncExitStack()
        self._writer: PayloadWriter | None = None
        self._stored: StoredPayload | None = None

    async def __aenter__(self) -> Self:
        try:
            self._stored = await self._stored_already()
            if self._stored is None:
                self._writer = await self._stack.enter_async_context(
                    self._tools.payloads.writer(
                        deployment_id=self._deployment.id,
                        project=self._deployment.project,
                        epoch=self._epoch,
                    )
                )
        except BaseException as error:
            await self._leave(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stack.__aexit__(kind, error, trace)
        except BaseException as translated:
            await self._leave(translated)
            raise
        if error is not None:
            await self._leave(error)

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
        """Take the next bytes of the plain way."""
        self._tools.check_size(offset + len(data))
        await self._open_writer(offset).add_data(offset, data)

    async def add_chunks(self, offset: int, entries: Sequence[ChunkEntry]) -> None:
        """Take the next chunks of the thrifty way."""
        self._tools.check_size(offset + sum(entry.raw_size for entry in entries))
        await self._open_writer(offset).add_chunks(offset, entries)

    async def finish(self, declared_size_bytes: int, declared_sha256: str) -> Deployment:
        """Verify, look into, and record what was sent; the deployment is QUEUED when this returns.

        An empty ``declared_sha256`` is not compared.
        """
        if self._stored is None:
            assert self._writer is not None
            self._stored = await self._writer.finish(declared_size_bytes, declared_sha256)
        await self._validating(self._stored)
        scan = await self._examine(self._stored)
        await self._tell_content(scan)
        self._check_content(scan)
        deployment = await self._record(self._stored, scan)
        place = rollout_ident(deployment.project, deployment.environment)
        self._tools.wakeups.send(Kind.ROLLOUTS, place)
        self._tools.wakeups.send(Kind.PROGRESS, deployment.id)
        _log.info("deployment.recorded", project=deployment.project, version=deployment.version)
        return deployment

    async def _examine(self, stored: StoredPayload) -> BundleScan:
        try:
            return await self._tools.examiner.examine(
                stored.sha256,
                stored.size_bytes,
                payload_format=self._header.payload_format,
                file_name=self._header.file_name,
            )
        except CorruptBlob as error:
            # Whoever sent it has its bytes still: resumed, it sends what is damaged once more.
            raise PackFileDamaged(f"object {error.key}") from error

    async def _stored_already(self) -> StoredPayload | None:
        """The payload, when an earlier session stored all of it, or a release of the project has it."""
        sha256 = self._deployment.payload_sha256
        if not sha256:
            async with self._catalogue.reading() as transaction:
                if await releases.has_stored_payload(
                    transaction, self._deployment.project, self._header.payload_sha256
                ):
                    sha256 = self._header.payload_sha256
        if not sha256:
            return None
        payload = await self._tools.payloads.keep(
            deployment_id=self._deployment.id, epoch=self._epoch, sha256=sha256
        )
        if payload is None:
            return None
        declared = self._header.payload_size_bytes
        if declared is not None and declared != payload.size_bytes:
            raise SizeMismatch(declared, payload.size_bytes)
        resumed = bool(self._deployment.payload_sha256)
        return StoredPayload(
            sha256=payload.sha256,
            size_bytes=payload.size_bytes,
            chunk_count=payload.chunk_count,
            manifest_key=payload.manifest_key,
            received_bytes=self._deployment.received_bytes,
            reused_bytes=self._deployment.reused_bytes if resumed else payload.size_bytes,
            stored_bytes=self._deployment.stored_bytes,
        )

    def _open_writer(self, offset: int) -> PayloadWriter:
        if self._writer is None:
            assert self._stored is not None
            raise OffsetMismatch(self._stored.size_bytes, offset)
        return self._writer

    async def _validating(self, stored: StoredPayload) -> None:
        if self._deployment.status is DeploymentStatus.VALIDATING:
            if self._deployment.payload_sha256 != stored.sha256:
                # Without a declared sha256, what is sent again after damage may be something else.
                await self._note_other_payload(stored)
            return
        async with self._catalogue.transaction() as transaction:
            await self._hold(transaction)
            self._deployment = await change_status(
                transaction,
                self._deployment.id,
                expected=(DeploymentStatus.RECEIVING,),
                to=DeploymentStatus.VALIDATING,
                actor=self._actor,
                action="payload.stored",
                message=f"{stored.size_bytes} bytes, sha256:{stored.sha256}",
                values={
                    "payload_sha256": stored.sha256,
                    "payload_size_bytes": stored.size_bytes,
                    "durable_bytes": stored.size_bytes,
                    "received_bytes": stored.received_bytes,
                    "reused_bytes": stored.reused_bytes,
                    "stored_bytes": stored.stored_bytes,
                },
            )
        self._tools.wakeups.send(Kind.PROGRESS, self._deployment.id)

    async def _note_other_payload(self, stored: StoredPayload) -> None:
        async with self._catalogue.transaction() as transaction:
            await self._hold(transaction)
            await deployments.set_columns(
                transaction,
                self._deployment.id,
                payload_sha256=stored.sha256,
                payload_size_bytes=stored.size_bytes,
                durable_bytes=stored.size_bytes,
            )

    async def _tell_content(self, scan: BundleScan) -> None:
        async with self._catalogue.transaction() as transaction:
            await self._hold(transaction)
            await append_event(
                transaction,
                self._deployment.id,
                "content_examined",
                f"{scan.entry_count} entries, {scan.unpacked_bytes} bytes unpacked, "
                f"{scan.total_findings} findings",
                {
                    "content_sha256": scan.content_sha256,
                    "entries": scan.entry_count,
                    "unpacked_size_bytes": scan.unpacked_bytes,
                    "findings": [asdict(told(finding)) for finding in scan.findings[:MOST_FINDINGS_TOLD]],
                    "total_findings": scan.total_findings,
                },
                expected=(DeploymentStatus.VALIDATING,),
            )
        self._tools.wakeups.send(Kind.PROGRESS, self._deployment.id)

    def _check_content(self, scan: BundleScan) -> None:
        findings = [told(finding) for finding in scan.findings[:MOST_FINDINGS_TOLD]]
        if not scan.accepted:
            first = findings[0]
            raise Refusal(
                Reason.ARCHIVE_INVALID,
                f"the payload is refused: {first.message}"
                + (f" (and {scan.total_findings - 1} more findings)" if scan.total_findings > 1 else ""),
                findings=findings,
                total_findings=scan.total_findings,
            )
        if scan.payload_format is PayloadFormat.FILE and not self._header.file_name:
            raise Refusal(
                Reason.VALIDATION_FAILED,
                "the payload is no archive, so it is installed as one file: say under which name",
                violations={"header.file_name": "is required for a payload that is no archive"},
            )
        named = scan.manifest.project if scan.manifest is not None else ""
        if named and named != self._deployment.project:
            assert scan.manifest is not None
            raise Refusal(
                Reason.VALIDATION_FAILED,
                f"{', '.join(scan.manifest.file_names)} names {scan.manifest.name!r}, "
                f"which is project {named!r}, the header says {self._deployment.project!r}: make them agree",
                violations={"header.project": f"the manifest says {named!r}"},
            )

    async def _record(self, stored: StoredPayload, scan: BundleScan) -> Deployment:
        content = Content(
            payload_sha256=stored.sha256,
            payload_size_bytes=stored.size_bytes,
            payload_format=scan.payload_format.name,
            file_name=self._header.file_name if scan.payload_format is PayloadFormat.FILE else "",
            content_sha256=scan.content_sha256,
            entries=scan.entry_count,
            unpacked_size_bytes=scan.unpacked_bytes,
            manifest_version=scan.manifest.version if scan.manifest is not None else "",
        )
        try:
            async with self._catalogue.transaction() as transaction:
                return await record_upload(
                    transaction, self._deployment, self._header, content, self._actor, epoch=self._epoch
                )
        except CommitUnknown:
            async with self._catalogue.reading() as transaction:
                deployment = await deployments.get_deployment(transaction, self._deployment.id)
            if deployment is None or deployment.record_time is None:
                raise
            return deployment

    async def _hold(self, transaction: Transaction) -> None:
        if not await uploads.heartbeat(transaction, self._deployment.id, self._epoch):
            raise UploadTakenOver(self._deployment.id)

    async def _leave(self, error: BaseException) -> None:
        """Fail the deployment for good where nothing else is left, else leave the upload to be resumed."""
        refusal = refusal_of(error)
        leaving = self._fail(refusal) if refusal is not None and refusal.final else self._interrupt()
        try:
            # The caller may be cancelled at any moment; what is left behind must not depend on that.
            await to_the_end(leaving)
        except (StorageError, StatusMoved) as trouble:
            _log.warning("upload.left", deployment_id=self._deployment.id, error=str(trouble))
        self._tools.wakeups.send(Kind.PROGRESS, self._deployment.id)

    async def _fail(self, refusal: Refusal) -> None:
        async with self._catalogue.transaction() as transaction:
            await self._hold(transaction)
            await change_status(
                transaction,
                self._deployment.id,
                expected=(DeploymentStatus.RECEIVING, DeploymentStatus.VALIDATING),
                to=DeploymentStatus.FAILED,
                actor=self._actor,
                action="deployment.refused",
                message=refusal.message[:1000],
                values={"error": refusal.to_row()},
            )
            await uploads.drop_upload(transaction, self._deployment.id)

    async def _interrupt(self) -> None:
        async with self._catalogue.transaction() as transaction:
            if await uploads.let_go(transaction, self._deployment.id, self._epoch):
                await deployments.set_columns(
                    transaction,
                    self._deployment.id,
                    status_reason=_INTERRUPTED,
                    status_message="the upload broke off; call again with the same deployment_id to go on",
                )
