"""Deployments of releases that exist: one made live in an environment, and one that is tried again."""

from __future__ import annotations

from dataclasses import replace

from longshore_bundles import case_folded
from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, bundles, deployments, releases
from longshore_storage.catalogue.lifecycle import TERMINAL, DeploymentKind, DeploymentStatus, QueuePolicy
from longshore_storage.catalogue.rows import Actor, Deployment

from .once import Once
from .queueing import find_release, insert_in_place, lock_place
from .requests import ReleaseRequest, RetryRequest
from .rollbacks import check_is_way_back, taken_back_by
from .second_person import SecondPerson


class ReleaseDeployments:
    """The use cases DeployRelease and RetryDeployment."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups, second_person: SecondPerson) -> None:
        self._once = Once(catalogue, wakeups)
        self._second_person = second_person

    async def deploy_release(self, request: ReleaseRequest, actor: Actor) -> Deployment:
        """Queue or stage an existing release; the same id again gives the same deployment."""
        digest = request.digest(actor)

        async def record(transaction: Transaction) -> Deployment:
            known = await releases.find_release(transaction, request.project, case_folded(request.version))
            needs = await bundles.needs_of(transaction, known.id) if known is not None else ()
            live = await lock_place(transaction, request.project, request.environment, needs)
            return await insert_in_place(
                transaction,
                live,
                await find_release(transaction, request.project, request.version),
                request.terms,
                actor,
                deployment_id=request.deployment_id,
                kind=DeploymentKind.RELEASE,
                request_digest=digest,
            )

        deployment = await self._once.record(request.deployment_id, digest, record)
        assert deployment is not None
        return deployment

    async def retry(self, request: RetryRequest, actor: Actor) -> Deployment:
        """Queue once more what ended without success; the same id again gives the same deployment."""
        digest = request.digest(actor)

        async def record(transaction: Transaction) -> Deployment:
            failed = await _failed(transaction, request.retry_of)
            needs = await bundles.needs_of(transaction, failed.release_id) if failed.release_id else ()
            live = await lock_place(transaction, failed.project, failed.environment, needs)
            release = (
                await releases.get_release(transaction, failed.release_id) if failed.release_id else None
            )
            terms, rollback_of = request.terms, ""
            if failed.kind is DeploymentKind.ROLLBACK and release is not None:
                # In front of everything, and of what is there now, as any rollback.
                terms = replace(terms, queue_policy=QueuePolicy.SUPERSEDE)
                rollback_of = await taken_back_by(transaction, live, release)
                await check_is_way_back(transaction, live, release)
            return await insert_in_place(
                transaction,
                live,
                release,
                terms,
                actor,
                deployment_id=request.deployment_id,
                # No bytes come this time.
                kind=DeploymentKind.RELEASE if failed.kind is DeploymentKind.UPLOAD else failed.kind,
                request_digest=digest,
                retry_of=failed.id,
                rollback_of=rollback_of,
                restored_deployment_id=failed.restored_deployment_id,
                skip_tests=failed.skip_tests,
            )

        async with self._second_person.told(actor, deployment_id=request.retry_of):
            deployment = await self._once.record(request.deployment_id, digest, record)
        assert deployment is not None
        return deployment


async def _failed(transaction: Transaction, deployment_id: str) -> Deployment:
    deployment = await deployments.get_deployment(transaction, deployment_id)
    if deployment is None:
        raise Refusal(Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {deployment_id!r}")
    if deployment.status not in TERMINAL:
        raise Refusal(
            Reason.STATUS_CONFLICT, f"deployment {deployment.id} is {deployment.status}: it has not ended yet"
        )
    if deployment.status is DeploymentStatus.SUCCEEDED:
        raise Refusal(
            Reason.STATUS_CONFLICT, f"deployment {deployment.id} succeeded: there is nothing to try again"
        )
    if deployment.record_time is None:
        raise Refusal(
            Reason.STATUS_CONFLICT,
            f"deployment {deployment.id} ended before it was recorded, so there is no release to try again: "
            "deploy its content once more",
        )
    return deployment
