"""Recording an upload: version, release, queue place, event and audit row, in one transaction.

It happens under the project's row, so that two uploads of one project get their versions one after the
other. It needs no coordination service and holds no lock for long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from longshore_bundles import case_folded, order_key
from longshore_server.access import Permission, current_caller, readable
from longshore_server.findings import told
from longshore_server.refusal import FindingTold, Reason, Refusal
from longshore_storage.catalogue import Transaction, projects, releases
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment, Release
from longshore_storage.catalogue.scopes import covers
from longshore_storage.catalogue.uploads import drop_upload, heartbeat
from longshore_storage.payloads.errors import UploadTakenOver

from .bundle_content import BundleContent
from .naming import name_project
from .queueing import for_place, take_place
from .quotas import Quotas
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
    bundle: BundleContent
    # Whether errors were found in it, and are let through.
    validation_skipped: bool


async def record_upload(
    transaction: Transaction,
    deployment: Deployment,
    header: Header,
    content: Content,
    actor: Actor,
    quotas: Quotas,
    *,
    epoch: int,
    note_examined: Callable[[Transaction, Sequence[FindingTold]], Awaitable[object]],
) -> Deployment:
    """Make the deployment QUEUED (or STAGED) with its release, and end the upload that ``epoch`` holds.

    ``note_examined`` writes down what was found in it, and what of it does not go with the project. Raises
    ``Refusal`` for a version that cannot be, terms that do not hold and a quota, ``UploadTakenOver`` for one
    who holds no longer.
    """
    needed = [need.project for need in content.bundle.needs]
    locked = await projects.lock_projects(transaction, [deployment.project, *needed])
    if not await heartbeat(transaction, deployment.id, epoch):
        raise UploadTakenOver(deployment.id)
    let_through = await name_project(transaction, locked[deployment.project], content.bundle, header)
    if let_through:
        content = replace(content, validation_skipped=True)
    async with quotas.storing(transaction, deployment.project):
        release = await _release(transaction, deployment, header, content, actor)
    live = await projects.lock_live(transaction, deployment.project, deployment.environment)
    # The deployment's row is locked behind the live row.
    await note_examined(transaction, [told(finding) for finding in let_through])
    recorded = await take_place(
        transaction,
        live,
        deployment.id,
        release,
        await for_place(transaction, header.terms, live),
        actor,
        expected=(DeploymentStatus.VALIDATING,),
        action="release.recorded",
        message=f"version {release.version}" + _skipped(header),
        values={
            "release_id": release.id,
            "version": release.version,
            "content_sha256": content.content_sha256,
            "payload_format": release.payload_format,
            "bundle_kind": release.kind,
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
        digests = f" (sha256:{existing.content_sha256}, this is sha256:{content.content_sha256})"
        is_seen = covers(readable(), header.project, None)
        raise Refusal(
            Reason.VERSION_EXISTS,
            f"{header.project} {existing.version} exists with other content{digests if is_seen else ''}: "
            "releases never change, so choose another version",
            violations={"header.version": "exists with other content"},
        )
    return version, existing


async def _release(
    transaction: Transaction, deployment: Deployment, header: Header, content: Content, actor: Actor
) -> Release:
    version, existing = await find_version(transaction, header, content)
    if existing is not None:
        await _register(transaction, existing, content, actor)
        if existing.stored_payload is None:
            return await releases.restore_payload(
                transaction,
                existing.id,
                sha256=content.payload_sha256,
                size_bytes=content.payload_size_bytes,
                payload_format=content.payload_format,
            )
        return existing
    release = await releases.insert_release(
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
        kind=content.bundle.kind,
        source=header.source.to_row() if header.source is not None else None,
        install_method=header.install_method,
        validation_skipped=content.validation_skipped,
    )
    await content.bundle.record(transaction, release.id)
    return release


async def _register(transaction: Transaction, release: Release, content: Content, actor: Actor) -> None:
    """Bring unregistered workflows back where the caller may do so: it shows in each environment."""
    environments = await projects.environments_of(transaction, release.project)
    rights = current_caller().rights
    if not all(rights.allow(Permission.PROJECT_CONFIGURE, release.project, each) for each in environments):
        return
    restored = await content.bundle.register(transaction, release.id)
    if restored:
        await record_audit(
            transaction,
            actor,
            "workflows.restored",
            project=release.project,
            version=release.version,
            from_status="DELETED",
            to_status="REGISTERED",
            message=f"{restored} workflows",
        )


def _skipped(header: Header) -> str:
    said = [
        what
        for what, skipped in (
            ("validation", header.skip_validation),
            ("tests", header.skip_tests),
        )
        if skipped
    ]
    return f", {' and '.join(said)} skipped" if said else ""
