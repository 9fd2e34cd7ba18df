"""Recording an upload: version, release, queue place, event and audit row, in one transaction.

It happens under the project's row, so that two uploads of one project get their versions one after the
other. It needs no coordination service and holds no lock for long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from longshore_bundles import case_folded, order_key
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Transaction, projects, releases
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment, Release
from longshore_storage.catalogue.uploads import drop_upload, heartbeat
from longshore_storage.payloads.errors import UploadTakenOver

from .queueing import take_place
from .requests import Header
from .versions import choose_version


@dataclass(frozen=True, slots=True)
class Content:
    """What an upload brought: the stored payload and what the look into it told."""

    payload_sha256: str
    payload_size_bytes: int
    payload_format: str
    file_name: str
    content_sha256: str
    entries: int
    unpacked_size_bytes: int
    manifest_version: str


async def record_upload(
    transaction: Transaction,
    deployment: Deployment,
    header: Header,
    content: Content,
    actor: Actor,
    *,
    epoch: int,
    note_examined: Callable[[Transaction], Awaitable[object]],
) -> Deployment:
    """Make the deployment QUEUED (or STAGED) with its release, and end the upload that ``epoch`` holds.

    ``note_examined`` writes down what was found in it, where that was not done before. Raises ``Refusal`` for
    a version that cannot be and for terms that do not hold, ``UploadTakenOver`` for one who holds no longer.
    """
    await projects.lock_project(transaction, deployment.project)
    if not await heartbeat(transaction, deployment.id, epoch):
        raise UploadTakenOver(deployment.id)
    release = await _release(transaction, deployment, header, content, actor)
    live = await projects.lock_live(transaction, deployment.project, deployment.environment)
    # The deployment's row is locked behind the live row.
    await note_examined(transaction)
    recorded = await take_place(
        transaction,
        live,
        deployment.id,
        header.terms,
        actor,
        expected=(DeploymentStatus.VALIDATING,),
        action="release.recorded",
        message=f"version {release.version}",
        values={
            "release_id": release.id,
            "version": release.version,
            "content_sha256": content.content_sha256,
            "payload_format": release.payload_format,
            "record_time": await transaction.now(),
        },
    )
    await drop_upload(transaction, deployment.id)
    return recorded


async def find_version(
    transaction: Transaction, header: Header, content: Content
) -> tuple[str, Release | None]:
    """The version that an upload becomes, and the release that has it already with the same content.

    Raises ``Refusal`` where header and manifest disagree, and where other content has that version.
    """
    highest = await releases.highest_release(transaction, header.project)
    version = choose_version(header, content.manifest_version, highest.version if highest else None)
    existing = await releases.find_release(transaction, header.project, case_folded(version))
    if existing is not None and (existing.content_sha256, existing.file_name) != (
        content.content_sha256,
        content.file_name,
    ):
        raise Refusal(
            Reason.VERSION_EXISTS,
            f"{header.project} {existing.version} exists with other content "
            f"(sha256:{existing.content_sha256}, this is sha256:{content.content_sha256}): "
            "releases never change, so choose another version",
            violations={"header.version": "exists with other content"},
        )
    return version, existing


async def _release(
    transaction: Transaction, deployment: Deployment, header: Header, content: Content, actor: Actor
) -> Release:
    version, existing = await find_version(transaction, header, content)
    if existing is not None:
        if existing.stored_payload is None:
            return await releases.restore_payload(
                transaction,
                existing.id,
                sha256=content.payload_sha256,
                size_bytes=content.payload_size_bytes,
                payload_format=content.payload_format,
            )
        return existing
    return await releases.insert_release(
        transaction,
        project=deployment.project,
        version=version,
        version_key=case_folded(version),
        version_order=order_key(version),
        payload_sha256=content.payload_sha256,
        stored_payload=content.payload_sha256,
        content_sha256=content.content_sha256,
        payload_size_bytes=content.payload_size_bytes,
        payload_format=content.payload_format,
        file_name=content.file_name,
        entries=content.entries,
        unpacked_size_bytes=content.unpacked_size_bytes,
        created_by=actor.principal,
        deployment_id=deployment.id,
    )
