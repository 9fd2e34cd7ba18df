"""Uploads: accepting a header, taking bytes, and turning what is stored into a recorded deployment.

The deployment's row exists from the header on. A broken-off upload stays RECEIVING and goes on where its
stored part ends, on whichever node the next call comes to. Only what can never succeed ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from longshore_server.access import current_caller
from longshore_server.access.callers import ANONYMOUS
from longshore_server.draining import Draining
from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Kind
from longshore_storage.catalogue import Transaction, deployments, projects, uploads
from longshore_storage.catalogue.environments import takes_second_person
from longshore_storage.catalogue.journal import change_status
from longshore_storage.catalogue.lifecycle import UPLOADING, DeploymentKind, DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.errors import CommitUnknown, ConstraintViolated
from longshore_storage.payloads import Place

from .examining import Examiner
from .once import id_reused
from .queueing import check_environment_exists, check_not_frozen, check_terms
from .requests import Header
from .upload_session import UploadSession
from .upload_tools import UploadTools

_log = structlog.get_logger(__name__)

# A holder that shows no sign of life for this long has died.
STALE_AFTER_S = 20.0


class Uploads:
    """The use cases Deploy and FindMissingChunks."""

    def __init__(self, tools: UploadTools, draining: Draining, *, receives: bool) -> None:
        self._tools = tools
        self._receives = receives
        self._draining = draining
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """How many uploads are under way here, those that wait included."""
        return self._running

    @property
    def examiner(self) -> Examiner:
        """What looks payloads through on this node, those that are stored too."""
        return self._tools.examiner

    async def idle(self) -> None:
        """Return when no upload is running."""
        await self._idle.wait()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count an upload as running for as long as the block runs."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def accept(self, header: Header, actor: Actor) -> UploadSession | Deployment:
        """Accept a header: a session to send bytes to, or the deployment when it is recorded already.

        A session is to be entered at once: it has a place. Raises ``Refusal``, and ``TooManyUploads`` before
        anything is written; the error that ended an earlier call with this id is raised again.
        """
        if not self._receives:
            raise Refusal(Reason.ROLE_MISSING, "this node takes no uploads: its roles lack `receive`")
        if self._draining.takes_no_uploads:
            raise Refusal(
                Reason.DRAINING,
                "this node is drained or shuts down: call another one with the same deployment_id",
                retry_after_s=1,
            )
        self._tools.check_header(header)
        structlog.contextvars.bind_contextvars(deployment_id=header.deployment_id)
        await self._end_older_session(header, actor)
        with ExitStack() as booked:
            try:
                async with self._tools.catalogue.transaction() as transaction:
                    accepted = await self._accept(transaction, header, actor, booked)
            except (ConstraintViolated, CommitUnknown):
                # Another call with this id was faster, or the commit's outcome is not known: look again.
                booked.close()
                async with self._tools.catalogue.transaction() as transaction:
                    accepted = await self._accept(transaction, header, actor, booked)
            booked.pop_all()
        self._tools.wakeups.send(Kind.PROGRESS, header.deployment_id)
        return accepted

    async def find_missing(
        self, deployment_id: str, session_id: str, attempt: int, digests: Sequence[bytes], actor: Actor
    ) -> list[int]:
        """Positions of the digests whose bytes must be sent; the other chunks are kept for this upload."""
        async with self._tools.catalogue.reading() as transaction:
            deployment = await deployments.get_accepted(transaction, deployment_id)
            upload = await uploads.get_upload(transaction, deployment_id)
        if (
            deployment is not None
            and deployment.deployed_by == actor.principal
            and deployment.error is not None
        ):
            # It was cancelled, say; its session may not know yet.
            raise Refusal.from_row(deployment.error)
        if deployment is None or upload is None or deployment.deployed_by != actor.principal:
            raise Refusal(
                Reason.DEPLOYMENT_NOT_FOUND, f"there is no upload under way with the id {deployment_id!r}"
            )
        if (upload.session_id, upload.attempt) != (session_id, attempt):
            raise Refusal(
                Reason.UPLOAD_TAKEN_OVER,
                "another session or a newer attempt holds this upload: stop this one",
            )
        return await self._tools.payloads.find_missing(
            deployment_id=deployment_id,
            project=deployment.project,
            digests=digests,
            readable=await self._tools.visibility.may_read(actor, deployment.project),
        )

    async def check_open(self, deployment_id: str) -> None:
        """Raise the ``Refusal`` that ended a deployment while its upload was under way, if one did."""
        async with self._tools.catalogue.reading() as transaction:
            deployment = await deployments.get_accepted(transaction, deployment_id)
        if deployment is not None and deployment.error is not None:
            raise Refusal.from_row(deployment.error)

    async def _end_older_session(self, header: Header, actor: Actor) -> None:
        """A client that comes back finds everything that it sent to this node before."""
        older = self._tools.running.older_than(header)
        if older is None:
            return
        async with self._tools.catalogue.reading() as transaction:
            deployment = await deployments.get_accepted(transaction, header.deployment_id)
        if deployment is not None and deployment.request_digest == header.digest(actor):
            await older.end()

    async def _accept(
        self, transaction: Transaction, header: Header, actor: Actor, booked: ExitStack
    ) -> UploadSession | Deployment:
        deployment = await deployments.get_accepted(transaction, header.deployment_id)
        if deployment is None:
            return await self._begin(transaction, header, actor, self._book(booked))
        if deployment.request_digest != header.digest(actor):
            raise id_reused(deployment)
        if deployment.status not in UPLOADING:
            if deployment.record_time is None and deployment.error is not None:
                raise Refusal.from_row(deployment.error)
            return deployment
        place = self._book(booked)
        room = await self._tools.quotas.check_going_on(transaction, header, actor)
        taken = await uploads.take_over(
            transaction,
            deployment.id,
            session_id=header.session_id,
            attempt=header.attempt,
            stale_after_s=STALE_AFTER_S,
        )
        if taken is None:
            raise Refusal(
                Reason.CONFLICT, "this upload ends just now: call again for its answer", retry_after_s=0.5
            )
        if taken.epoch is None:
            raise Refusal(
                Reason.UPLOAD_IN_PROGRESS,
                "another session sends this upload just now: wait for it, or look again later",
                retry_after_s=max(taken.retry_after_s, 1.0),
            )
        await deployments.set_columns(transaction, deployment.id, status_reason="", status_message="")
        return UploadSession(
            self._tools, header, actor, deployment, epoch=taken.epoch, place=place, room=room
        )

    def _book(self, booked: ExitStack) -> Place:
        principal = current_caller().identity.principal
        place = self._tools.payloads.places.book("" if principal == ANONYMOUS else principal)
        booked.callback(place.leave)
        return place

    async def _begin(
        self, transaction: Transaction, header: Header, actor: Actor, place: Place
    ) -> UploadSession:
        validates = header.validate_only
        await check_environment_exists(transaction, header.environment)
        if not (header.terms.stage_only or validates):
            live = await projects.get_live(transaction, header.project, header.environment)
            frozen = live is not None and live.freeze_reason
            if live is not None and frozen and not await takes_second_person(transaction, live):
                check_not_frozen(live)
        # Looked at again when it is recorded; this spares the bytes.
        await check_terms(transaction, header.project, header.environment, header.terms)
        if not validates:
            await self._tools.left_behind.check_new(transaction, actor.principal)
        room = await self._tools.quotas.check_new(transaction, header, actor)
        await projects.ensure_project(transaction, header.project, header.project, only_validated=validates)
        deployment = await deployments.insert_deployment(
            transaction,
            actor,
            action="validation.accepted" if validates else "deployment.accepted",
            id=header.deployment_id,
            project=header.project,
            environment=header.environment,
            kind=DeploymentKind.VALIDATION if validates else DeploymentKind.UPLOAD,
            request_digest=header.digest(actor),
            payload_format=header.payload_format,
            file_name=header.file_name,
            payload_size_bytes=header.payload_size_bytes,
            skip_validation=header.skip_validation,
            skip_tests=header.skip_tests,
            **header.terms.columns(),
        )
        epoch = await uploads.begin_upload(
            transaction,
            deployment.id,
            session_id=header.session_id,
            attempt=header.attempt,
            declared_size_bytes=header.payload_size_bytes,
            declared_sha256=header.payload_sha256,
        )
        deployment = await change_status(
            transaction,
            deployment.id,
            expected=(DeploymentStatus.PENDING,),
            to=DeploymentStatus.RECEIVING,
            actor=actor,
            action="validation.receiving" if validates else "deployment.receiving",
        )
        return UploadSession(self._tools, header, actor, deployment, epoch=epoch, place=place, room=room)
