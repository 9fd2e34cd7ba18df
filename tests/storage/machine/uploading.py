"""Uploads as a server does them for a client: accepted, sent, stored, read back, recorded, or broken off."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from longshore_chunks import chunk_digest
from longshore_server.unbroken import to_the_end
from longshore_storage.catalogue import Transaction, projects, releases, tables, uploads
from longshore_storage.catalogue.deployments import insert_deployment
from longshore_storage.catalogue.journal import change_status
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.errors import BlobNotFound, ConstraintViolated, CorruptBlob, StorageError
from longshore_storage.payloads import (
    ChunkMissing,
    PackFileDamaged,
    PackFileGone,
    PayloadNotStored,
    PayloadWriter,
    UploadTakenOver,
)
from tests.storage.collecting.store import release_values
from tests.storage.payloads.world import entry_of, reference_to

from .faults import Died, Fault
from .model import Release, Upload, payload_of
from .process import ACTOR, COLLECTING, Process
from .telling import Told, ToldEnum
from .world import Presence, Step, World

# As the server has it.
STALE_AFTER_S = 20.0
_PIECE_BYTES = 900
_ENTRIES_AT_A_TIME = 3


class Stop(ToldEnum):
    """Where a client leaves, or what the server thinks of what it sent."""

    SENT = "some bytes are sent"
    FLUSHED = "some bytes are durable"
    STORED = "the payload is stored"
    REFUSED = "the payload is stored and refused"
    RECORDED = "the release is recorded"


class ClientGone(Exception):
    """The connection is cut."""


class Refused(Exception):
    """What was sent can never be deployed."""


@dataclass(frozen=True, repr=False)
class Content(Told):
    """A new upload: some blocks, for a project, by one of the two ways; ``declared`` with size and sha256."""

    blocks: tuple[int, ...]
    project: str = "netops"
    thrifty: bool = False
    declared: bool = False


@dataclass(frozen=True, repr=False)
class Send(Step):
    """A client sends a new payload, or goes on with an unfinished upload, until ``stop``.

    It stops sending at the share ``at`` of its bytes; or ``meanwhile`` happens there, before it goes on.
    ``as_another`` is another session than before, ``remembers`` a client that asks for missing chunks once.
    """

    what: Content | int
    stop: Stop = Stop.RECORDED
    at: float = 1.0
    on: int = 0
    asks_on: int = 0
    as_another: bool = False
    remembers: bool = False
    again: bool = False
    meanwhile: tuple[Step, ...] = ()
    fault: Fault | None = None

    async def take(self, world: World) -> None:
        upload = self._upload(world)
        if upload is None:
            return
        with world.present() as presence:
            begin = world.clock.waited
            session = Session(world, upload, self, presence)
            try:
                outcome = await world.attempt(self.on, self.fault, session.run)
            except (ClientGone, Refused):
                outcome = None
            except ConstraintViolated:
                assert not presence.alone, "only another call may have begun it"
                outcome = None
            except UploadTakenOver:
                assert await session.is_lost(), "it held the upload, and was told that it does not"
                outcome = None
            except PackFileGone:
                assert world.clock.waited - begin >= COLLECTING.keep_unfinished
                outcome = None
            except ChunkMissing:
                upload.missing = None
                assert world.bucket.ever_hurt or not presence.alone
                outcome = None
            except (PackFileDamaged, CorruptBlob, BlobNotFound):
                assert world.bucket.ever_hurt
                outcome = None
        await _look_up(world, upload, must_be_recorded=outcome is True)

    def _upload(self, world: World) -> Upload | None:
        if isinstance(self.what, Content):
            return world.model.begin(
                self.what.project,
                payload_of(self.what.blocks),
                thrifty=self.what.thrifty,
                declared=self.what.declared,
            )
        unfinished = world.model.unfinished()
        return unfinished[self.what % len(unfinished)] if unfinished else None


@dataclass
class Session:
    """One session of an upload, on one process."""

    world: World
    upload: Upload
    step: Send
    presence: Presence
    epoch: int = 0
    process: Process = field(init=False)

    async def run(self, process: Process) -> bool:
        """Go as far as the client goes; whether the release is recorded."""
        self.process = process
        if not await self._accept():
            return False
        try:
            await self._run()
        except BaseException as error:
            if not process.life.is_over:
                await self._leave(error)
            raise
        return True

    async def is_lost(self) -> bool:
        """Whether another session holds the upload by now, or it has ended."""
        u = tables.upload
        found = await self.world.rows(u, u.c.deployment_id == self.upload.id)
        return not found or found[0].epoch != self.epoch

    async def _run(self) -> None:
        upload = self.upload
        if not await self._stored_already():
            async with self.process.store.writer(
                deployment_id=upload.id, project=upload.project, epoch=self.epoch
            ) as writer:
                await self._send(writer)
                stored = await writer.finish(len(upload.data), upload.sha256 if upload.declared else "")
            assert (stored.sha256, stored.size_bytes) == (upload.sha256, len(upload.data))
        await self._note_stored()
        if self.step.stop is Stop.STORED:
            raise ClientGone
        await self._examine()
        if self.step.stop is Stop.REFUSED:
            raise Refused
        await self._record()

    async def _accept(self) -> bool:
        """Begin the upload, or become its holder."""
        upload = self.upload
        if not upload.is_begun:
            async with self.process.catalogue.transaction() as transaction:
                self.epoch = await _begin(transaction, upload)
            upload.is_begun = True
            return True
        if self.step.as_another:
            upload.session, upload.attempt = upload.session + 1, 0
        upload.attempt += 1
        while True:
            async with self.process.catalogue.transaction() as transaction:
                taken = await uploads.take_over(
                    transaction,
                    upload.id,
                    session_id=f"session {upload.session}",
                    attempt=upload.attempt,
                    stale_after_s=STALE_AFTER_S,
                )
            if taken is None:
                # It was given up, or has just ended.
                return False
            if taken.epoch is not None:
                self.epoch = taken.epoch
                return True
            assert await self._is_anothers() or not self.presence.alone, "the same session need not wait"
            self.world.clock.wait(timedelta(seconds=taken.retry_after_s + 1))

    async def _is_anothers(self) -> bool:
        u = tables.upload
        found = await self.world.rows(u, u.c.deployment_id == self.upload.id)
        return any(row.session_id != f"session {self.upload.session}" for row in found)

    async def _stored_already(self) -> bool:
        upload = self.upload
        known = upload.is_stored
        if upload.declared and not known:
            async with self.process.catalogue.reading() as transaction:
                known = await releases.has_stored_payload(transaction, upload.project, upload.sha256)
        if not known:
            return False
        row = await self.process.store.keep(deployment_id=upload.id, epoch=self.epoch, sha256=upload.sha256)
        return row is not None

    async def _send(self, writer: PayloadWriter) -> None:
        end = int(len(self.upload.data) * self.step.at)
        if self.upload.thrifty and (self.upload.missing is None or not self.step.remembers):
            await self._ask()
        await self._send_to(writer, end)
        await self.world.meanwhile(self.step.meanwhile)
        if self.step.stop is Stop.FLUSHED:
            await writer.flush()
        if self.step.stop in (Stop.SENT, Stop.FLUSHED):
            raise ClientGone
        await self._send_to(writer, len(self.upload.data))

    async def _send_to(self, writer: PayloadWriter, end: int) -> None:
        if self.upload.thrifty:
            await self._send_chunks(writer, end)
            return
        while writer.offset < end:
            piece = self.upload.data[writer.offset : min(writer.offset + _PIECE_BYTES, end)]
            await writer.add_data(writer.offset, piece)

    async def _send_chunks(self, writer: PayloadWriter, end: int) -> None:
        assert self.upload.missing is not None
        offset, entries = 0, []
        for raw in self.upload.raws:
            is_due = writer.offset <= offset < end
            if is_due:
                is_missing = chunk_digest(raw) in self.upload.missing
                entries.append(entry_of(raw) if is_missing else reference_to(raw))
            offset += len(raw)
        for at in range(0, len(entries), _ENTRIES_AT_A_TIME):
            await writer.add_chunks(writer.offset, entries[at : at + _ENTRIES_AT_A_TIME])

    async def _ask(self) -> None:
        """FindMissingChunks, which any node answers."""
        process = self.process
        if self.step.asks_on != self.step.on:
            process = await self.world.process(self.step.asks_on)
        digests = list(dict.fromkeys(map(chunk_digest, self.upload.raws)))
        missing = await process.store.find_missing(
            deployment_id=self.upload.id, project=self.upload.project, digests=digests
        )
        self.upload.missing = frozenset(digests[place] for place in missing)

    async def _note_stored(self) -> None:
        async with self.process.catalogue.transaction() as transaction:
            await self._hold(transaction)
        self.upload.is_stored = True

    async def _examine(self) -> None:
        """Read back what is stored, as whoever looks into it does."""
        try:
            async with self.process.store.open(self.upload.sha256) as reader:
                found = b"".join([piece async for piece in reader.stream()])
        except CorruptBlob as error:
            raise PackFileDamaged(error.key) from error
        except PayloadNotStored:
            assert await self.is_lost(), "the upload keeps its payload"
            raise UploadTakenOver(self.upload.id) from None
        assert found == self.upload.data

    async def _record(self) -> None:
        upload, model = self.upload, self.world.model
        taken_back = [
            release.version
            for release in model.releases.values()
            if (release.project, release.data, release.is_kept) == (upload.project, upload.data, False)
        ]
        is_again = self.step.again and taken_back and self.presence.alone
        version = taken_back[0] if is_again else model.next_version()
        async with self.process.catalogue.transaction() as transaction:
            await projects.lock_project(transaction, upload.project)
            await self._hold(transaction)
            existing = await releases.find_release(transaction, upload.project, version)
            if existing is None:
                values = release_values(upload.project, version, upload.sha256, len(upload.data), upload.id)
                release = await releases.insert_release(transaction, **values)
            else:
                release = await releases.restore_payload(
                    transaction,
                    existing.id,
                    sha256=upload.sha256,
                    size_bytes=len(upload.data),
                    payload_format="FILE",
                )
            await projects.lock_live(transaction, upload.project, "default")
            # It fails at once, so that no rollout keeps the release.
            await change_status(
                transaction,
                upload.id,
                expected=(DeploymentStatus.PENDING,),
                to=DeploymentStatus.FAILED,
                actor=ACTOR,
                action="release.recorded",
                values={"release_id": release.id, "record_time": await transaction.now()},
            )
            await uploads.drop_upload(transaction, upload.id)

    async def _hold(self, transaction: Transaction) -> None:
        if not await uploads.heartbeat(transaction, self.upload.id, self.epoch):
            raise UploadTakenOver(self.upload.id)

    async def _leave(self, error: BaseException) -> None:
        """Let the upload go, or end it where nothing else is left; who cannot, is told so by silence."""
        leaving = self._fail() if isinstance(error, Refused) else self._let_go()
        try:
            await to_the_end(leaving)
        except (StorageError, Died):
            return

    async def _let_go(self) -> None:
        async with self.process.catalogue.transaction() as transaction:
            await uploads.let_go(transaction, self.upload.id, self.epoch)

    async def _fail(self) -> None:
        async with self.process.catalogue.transaction() as transaction:
            await self._hold(transaction)
            await change_status(
                transaction,
                self.upload.id,
                expected=(DeploymentStatus.PENDING,),
                to=DeploymentStatus.FAILED,
                actor=ACTOR,
                action="deployment.refused",
            )
            await uploads.drop_upload(transaction, self.upload.id)


async def _begin(transaction: Transaction, upload: Upload) -> int:
    await projects.ensure_project(transaction, upload.project, upload.project)
    await projects.ensure_environment(transaction, "default")
    await insert_deployment(
        transaction,
        ACTOR,
        id=upload.id,
        project=upload.project,
        environment="default",
        kind="UPLOAD",
        request_digest="",
    )
    return await uploads.begin_upload(
        transaction,
        upload.id,
        session_id=f"session {upload.session}",
        attempt=upload.attempt,
        declared_size_bytes=len(upload.data) if upload.declared else None,
        declared_sha256=upload.sha256 if upload.declared else "",
    )


async def _look_up(world: World, upload: Upload, *, must_be_recorded: bool) -> None:
    """See what became of an upload: it goes on, was recorded, or has ended."""
    d, r, u = tables.deployment, tables.release, tables.upload
    deployments = await world.rows(d, d.c.id == upload.id)
    upload.is_begun = bool(deployments)
    if deployments and deployments[0].release_id is not None:
        (release,) = await world.rows(r, r.c.id == deployments[0].release_id)
        name = (release.project, release.version)
        if world.model.uploads.pop(upload.id, None) is not None:
            world.model.releases[name] = Release(*name, upload.data, deployments[0].number)
        return
    assert not must_be_recorded, "the release is not recorded"
    if not await world.rows(u, u.c.deployment_id == upload.id):
        world.model.uploads.pop(upload.id, None)
