"""Deployments that move no bytes: an existing release made live, and rollbacks.

What "previous" means is resolved once, under the live row's lock, and recorded with the deployment, so a
call that is retried with its id never goes back twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from longshore_bundles import case_folded
from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import (
    Catalogue,
    Transaction,
    assignments,
    deployments,
    projects,
    releases,
)
from longshore_storage.catalogue.journal import change_status
from longshore_storage.catalogue.lifecycle import ROLLING, DeploymentKind, DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment, Live, Release
from longshore_storage.errors import CommitUnknown, ConstraintViolated

from .requests import ReleaseRequest, RollbackRequest

_Record = Callable[[Transaction], Awaitable[Deployment | None]]


class DeploymentsWithoutBytes:
    """The use cases DeployRelease and Rollback."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups

    async def deploy_release(self, request: ReleaseRequest, actor: Actor) -> Deployment:
        """Queue an existing release; the same id again gives the same deployment."""
        digest = request.digest(actor)

        async def record(transaction: Transaction) -> Deployment:
            await _project(transaction, request.project)
            release = await _release(transaction, request.project, request.version)
            live = await self._lock_live(transaction, request.project, request.environment)
            return await _queue(
                transaction,
                live,
                release,
                actor,
                deployment_id=request.deployment_id,
                kind=DeploymentKind.RELEASE,
                request_digest=digest,
            )

        deployment = await self._once(request.deployment_id, digest, record)
        assert deployment is not None
        return deployment

    async def roll_back(self, request: RollbackRequest, actor: Actor) -> Deployment | None:
        """Queue a rollback in front of everything; None when there is nothing to do."""
        digest = request.digest(actor)

        async def record(transaction: Transaction) -> Deployment | None:
            await _project(transaction, request.project)
            live = await self._lock_live(transaction, request.project, request.environment)
            if again := await _same_again(transaction, request.deployment_id, digest):
                # The same call was faster, and held the locks until now.
                return again
            unfinished = await deployments.unfinished(transaction, request.project, request.environment)
            current = await _current(transaction, live)
            restored = await self._target(transaction, request, current, unfinished)
            if isinstance(restored, Release):
                release, restored_id = restored, ""
            else:
                assert restored.release_id is not None
                release, restored_id = (
                    await releases.get_release(transaction, restored.release_id),
                    restored.id,
                )
            if not unfinished and await _assigned_everywhere(transaction, live, release):
                return None
            if unfinished and _is_on_its_way(request, unfinished[-1]):
                return None
            taken_back = _taken_back(unfinished, current, release)
            queued = await _queue(
                transaction,
                live,
                release,
                actor,
                deployment_id=request.deployment_id,
                kind=DeploymentKind.ROLLBACK,
                request_digest=digest,
                rollback_of=taken_back.id if taken_back else "",
                restored_deployment_id=restored_id,
            )
            await self._supersede(transaction, unfinished, queued, actor)
            return queued

        return await self._once(request.deployment_id, digest, record)

    async def _once(self, deployment_id: str, digest: str, record: _Record) -> Deployment | None:
        try:
            async with self._catalogue.transaction() as transaction:
                deployment = await _same_again(transaction, deployment_id, digest)
                if deployment is None:
                    deployment = await record(transaction)
        except (ConstraintViolated, CommitUnknown):
            # Another call with this id was faster, or the commit's outcome is not known: the row tells.
            async with self._catalogue.reading() as transaction:
                deployment = await _same_again(transaction, deployment_id, digest)
            if deployment is None:
                raise
        if deployment is not None:
            place = rollout_ident(deployment.project, deployment.environment)
            self._wakeups.send(Kind.ROLLOUTS, place)
            self._wakeups.send(Kind.PROGRESS, deployment.id)
        return deployment

    async def _lock_live(self, transaction: Transaction, project: str, environment: str) -> Live:
        await check_environment_exists(transaction, environment)
        return await projects.lock_live(transaction, project, environment)

    async def _target(
        self,
        transaction: Transaction,
        request: RollbackRequest,
        current: Deployment | None,
        unfinished: Sequence[Deployment],
    ) -> Deployment | Release:
        if request.target_deployment_id:
            target = await deployments.get_deployment(transaction, request.target_deployment_id)
            if target is None or (target.project, target.environment) != (
                request.project,
                request.environment,
            ):
                raise Refusal(
                    Reason.DEPLOYMENT_NOT_FOUND,
                    f"{request.project} has no deployment {request.target_deployment_id} "
                    f"in {request.environment}",
                )
            if target.release_id is None:
                raise Refusal(
                    Reason.NO_PREVIOUS_RELEASE,
                    f"deployment {target.id} was never recorded, so there is no release to go back to",
                )
            return target
        if request.version:
            release = await _release(transaction, request.project, request.version)
            last = await deployments.last_success(
                transaction, request.project, request.environment, release.id
            )
            return last or release
        if unfinished and current is not None and current.release_id is not None:
            return current
        previous = await deployments.previous_of(transaction, current) if current else None
        if previous is None or unfinished:
            raise Refusal(
                Reason.NO_PREVIOUS_RELEASE,
                f"nothing was live of {request.project} in {request.environment} before: "
                "name a version to make live",
            )
        return previous

    async def _supersede(
        self, transaction: Transaction, unfinished: Sequence[Deployment], by: Deployment, actor: Actor
    ) -> None:
        for deployment in unfinished:
            if deployment.status is DeploymentStatus.QUEUED:
                await change_status(
                    transaction,
                    deployment.id,
                    expected=(DeploymentStatus.QUEUED,),
                    to=DeploymentStatus.SUPERSEDED,
                    actor=actor,
                    action="deployment.superseded",
                    message=f"by rollback {by.id}",
                )
        await deployments.request_superseding(transaction, by.project, by.environment, by.id)


def _is_on_its_way(request: RollbackRequest, newest: Deployment) -> bool:
    """Whether a rollback is under way already, so that asking once more must not take that one back."""
    no_target = not (request.version or request.target_deployment_id)
    return no_target and newest.kind is DeploymentKind.ROLLBACK


def _taken_back(
    unfinished: Sequence[Deployment], current: Deployment | None, release: Release
) -> Deployment | None:
    """What the rollback takes back: what rolls out, else what waits, else what is live, if it is another."""
    rolling = next((one for one in unfinished if one.status in ROLLING), None)
    if rolling is not None or unfinished:
        return rolling or unfinished[-1]
    return current if current is not None and current.release_id != release.id else None


async def check_environment_exists(transaction: Transaction, environment: str) -> None:
    """Raise ``Refusal`` for an environment in which no node ever registered."""
    if not await projects.environment_exists(transaction, environment):
        raise Refusal(
            Reason.ENVIRONMENT_NOT_FOUND,
            f"there is no environment {environment!r}: it comes into being when a node registers in it",
        )


async def _same_again(transaction: Transaction, deployment_id: str, digest: str) -> Deployment | None:
    deployment = await deployments.get_deployment(transaction, deployment_id)
    if deployment is not None and deployment.request_digest != digest:
        raise id_reused(deployment)
    return deployment


def id_reused(deployment: Deployment) -> Refusal:
    """The refusal for an id that means something else already."""
    return Refusal(
        Reason.DEPLOYMENT_ID_REUSED,
        f"deployment id {deployment.id} was used for another call on project {deployment.project}: "
        "make a new id for everything new",
    )


async def _project(transaction: Transaction, name: str) -> None:
    if await projects.lock_project(transaction, name) is None:
        raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {name!r}")


async def _release(transaction: Transaction, project: str, version: str) -> Release:
    release = await releases.find_release(transaction, project, case_folded(version))
    if release is None:
        raise Refusal(Reason.RELEASE_NOT_FOUND, f"{project} has no release {version}")
    return release


async def _current(transaction: Transaction, live: Live) -> Deployment | None:
    if live.live_deployment_id is None:
        return None
    return await deployments.get_deployment(transaction, live.live_deployment_id)


async def _assigned_everywhere(transaction: Transaction, live: Live, release: Release) -> bool:
    assigned = await assignments.assigned_releases(transaction, live.project, live.environment)
    return bool(assigned) and all(release_id == release.id for _, release_id in assigned)


async def _queue(
    transaction: Transaction,
    live: Live,
    release: Release,
    actor: Actor,
    *,
    deployment_id: str,
    **values: object,
) -> Deployment:
    if release.stored_payload is None:
        raise Refusal(
            Reason.PAYLOAD_RECLAIMED,
            f"the payload of {release.project} {release.version} was reclaimed: deploy its content again",
        )
    await deployments.insert_deployment(
        transaction,
        actor,
        id=deployment_id,
        project=live.project,
        environment=live.environment,
        release_id=release.id,
        version=release.version,
        payload_sha256=release.payload_sha256,
        content_sha256=release.content_sha256,
        payload_size_bytes=release.payload_size_bytes,
        payload_format=release.payload_format,
        file_name=release.file_name,
        **values,
    )
    return await change_status(
        transaction,
        deployment_id,
        expected=(DeploymentStatus.PENDING,),
        to=DeploymentStatus.QUEUED,
        actor=actor,
        action="deployment.queued",
        message=f"version {release.version}",
        values={
            "record_time": await transaction.now(),
            "queue_order": await projects.next_queue_order(transaction, live),
        },
    )
