"""What one holder writes down about its upload: its statuses, events, release, and how it ended.

Every write is one transaction under the holder's epoch, so that a session that has lost the upload changes
nothing; it then raises ``UploadTakenOver``. What was found in a payload goes with what becomes of it, unless
looking it through takes so long that ``stored`` tells of it before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import structlog

from longshore_bundles import BundleScan
from longshore_bundles.findings import KEPT_FINDINGS
from longshore_server.findings import told
from longshore_server.refusal import FindingTold, Refusal
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, deployments, uploads
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.findings import FoundRow, replace_findings
from longshore_storage.catalogue.journal import append_event, change_status
from longshore_storage.catalogue.lifecycle import UPLOADING, DeploymentKind, DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.errors import CommitUnknown, Unavailable
from longshore_storage.payloads import StoredPayload
from longshore_storage.payloads.errors import UploadTakenOver

from .bundle_content import Examined
from .content_check import content_of, examined_body
from .quotas import Quotas
from .recording import record_upload
from .requests import Header
from .validating import Validated

_log = structlog.get_logger(__name__)

_INTERRUPTED = "interrupted"
_WAITING = "waiting"


class UploadLedger:
    """The writing side of one session. ``deployment`` is its row as it was last written here."""

    def __init__(
        self, catalogue: Catalogue, wakeups: Wakeups, actor: Actor, deployment: Deployment, *, epoch: int
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._actor = actor
        self.deployment = deployment
        self.epoch = epoch

    async def waits(self, what_for: str) -> None:
        """The upload waits for its turn, and ``what_for``, for people."""
        await self._tell("upload_waits", f"Waits for its turn: {what_for}", _WAITING, what_for)

    async def goes_on(self) -> None:
        """The upload's turn has come."""
        await self._tell("upload_goes_on", "Its turn has come")

    async def stored(self, stored: StoredPayload) -> None:
        """All bytes are stored, and are looked through from now on: VALIDATING."""
        if self.deployment.status is DeploymentStatus.VALIDATING:
            if self.deployment.payload_sha256 != stored.sha256:
                # Without a declared sha256, what is sent again after damage may be something else.
                await self._note_other_payload(stored)
            return
        async with self._catalogue.transaction() as transaction:
            await self._lock(transaction)
            validating = await self._note_stored(transaction, stored)
        self.deployment = validating
        self.wake()

    async def examined(
        self, stored: StoredPayload, scan: BundleScan, beside: Sequence[FindingTold] = ()
    ) -> None:
        """What was found in the payload, and ``beside`` it, where that is not recorded with its release."""
        async with self._catalogue.transaction() as transaction:
            await self._lock(transaction)
            examined = await self._note_examined(transaction, beside, stored, scan)
        self.deployment = examined
        self.wake()

    async def recorded(
        self, stored: StoredPayload, examined: Examined, header: Header, quotas: Quotas
    ) -> Deployment:
        """Record the release and put the deployment into the queue.

        Raises ``Refusal`` for its version, for terms that do not hold, and for a project that is full.
        """
        content, scan = content_of(examined, stored, header), examined.scan
        try:
            async with self._catalogue.transaction() as transaction:
                recorded = await record_upload(
                    transaction,
                    self.deployment,
                    header,
                    content,
                    self._actor,
                    quotas,
                    epoch=self.epoch,
                    note_examined=partial(self._note_examined, stored=stored, scan=scan),
                )
        except Refusal as refusal:
            await self.examined(stored, scan, refusal.findings)
            raise
        except CommitUnknown:
            async with self._catalogue.reading() as transaction:
                row = await deployments.get_accepted(transaction, self.deployment.id)
            if row is None or row.record_time is None:
                raise
            recorded = row
        self._wakeups.send(Kind.ROLLOUTS, rollout_ident(recorded.project, recorded.environment))
        self.wake()
        _log.info("deployment.recorded", project=recorded.project, version=recorded.version)
        return recorded

    async def validated(self, validated: Validated) -> None:
        """The upload was only to be validated: nothing stays of it but the audit trail."""
        sentence = f"{validated.total_findings} findings"
        if validated.valid:
            sentence += f", would become version {validated.version}"
        try:
            await self._forget(sentence)
        except (Unavailable, CommitUnknown) as error:
            # It was answered; collecting drops what nobody goes on with.
            _log.warning("validation.left", error=str(error))

    async def failed(self, refusal: Refusal) -> None:
        """The upload can never succeed: the deployment ends, and keeps the error."""
        if self.deployment.kind is DeploymentKind.VALIDATION:
            await self._forget(refusal.message[:1000])
            return
        async with self._catalogue.transaction() as transaction:
            await self._lock(transaction)
            await change_status(
                transaction,
                self.deployment.id,
                expected=(DeploymentStatus.RECEIVING, DeploymentStatus.VALIDATING),
                to=DeploymentStatus.FAILED,
                actor=self._actor,
                action="deployment.refused",
                message=refusal.message[:1000],
                values={"error": refusal.to_row()},
            )
            await uploads.drop_upload(transaction, self.deployment.id)

    async def interrupted(self) -> None:
        """The upload broke off and is free for whoever goes on; nothing when another one does already."""
        async with self._catalogue.transaction() as transaction:
            if await uploads.let_go(transaction, self.deployment.id, self.epoch):
                await deployments.set_columns(
                    transaction,
                    self.deployment.id,
                    status_reason=_INTERRUPTED,
                    status_message="the upload broke off; call again with the same deployment_id to go on",
                )

    async def _note_stored(self, transaction: Transaction, stored: StoredPayload) -> Deployment:
        return await change_status(
            transaction,
            self.deployment.id,
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

    async def _note_examined(
        self,
        transaction: Transaction,
        beside: Sequence[FindingTold],
        stored: StoredPayload,
        scan: BundleScan,
    ) -> Deployment:
        first_look = self.deployment.status is DeploymentStatus.RECEIVING
        if first_look:
            await self._note_stored(transaction, stored)
        found = [*beside, *map(told, scan.findings)][:KEPT_FINDINGS]
        total = scan.total_findings + len(beside)
        if total or not first_look:
            rows = [FoundRow(number, **asdict(finding)) for number, finding in enumerate(found, start=1)]
            await replace_findings(transaction, self.deployment.id, rows, total=total)
        return await append_event(
            transaction,
            self.deployment.id,
            "content_examined",
            f"{scan.entry_count} entries, {scan.unpacked_bytes} bytes unpacked, {total} findings",
            examined_body(scan, found, total),
            expected=(DeploymentStatus.VALIDATING,),
        )

    async def _forget(self, sentence: str) -> None:
        async with self._catalogue.transaction() as transaction:
            await self._lock(transaction)
            await record_audit(
                transaction,
                self._actor,
                "validation.ended",
                deployment=self.deployment,
                from_status=self.deployment.status,
                message=sentence,
            )
            await uploads.drop_upload(transaction, self.deployment.id)
            await deployments.drop_validation(transaction, self.deployment.id)

    def wake(self) -> None:
        """Let followers look."""
        self._wakeups.send(Kind.PROGRESS, self.deployment.id)

    async def _note_other_payload(self, stored: StoredPayload) -> None:
        async with self._catalogue.transaction() as transaction:
            await self._lock(transaction)
            await deployments.set_columns(
                transaction,
                self.deployment.id,
                payload_sha256=stored.sha256,
                payload_size_bytes=stored.size_bytes,
                durable_bytes=stored.size_bytes,
            )

    async def _tell(self, kind: str, sentence: str, reason: str = "", message: str = "") -> None:
        try:
            async with self._catalogue.transaction() as transaction:
                await self._lock(transaction)
                await append_event(transaction, self.deployment.id, kind, sentence, {}, expected=UPLOADING)
                await deployments.set_columns(
                    transaction, self.deployment.id, status_reason=reason, status_message=message
                )
        except (Unavailable, CommitUnknown) as error:
            # An upload that waits needs no database for that.
            _log.warning("upload.untold", error=str(error))
        self.wake()

    async def _lock(self, transaction: Transaction) -> None:
        if not await uploads.heartbeat(transaction, self.deployment.id, self.epoch):
            raise UploadTakenOver(self.deployment.id)
