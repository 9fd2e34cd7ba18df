"""Gates: where a deployment waits until a person lets it pass."""

from __future__ import annotations

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import (
    Catalogue,
    Transaction,
    bundles,
    deployments,
    projects,
    releases,
    rollouts,
)
from longshore_storage.catalogue.environments import takes_second_person
from longshore_storage.catalogue.journal import StatusMoved
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.catalogue.strategy import canary_gate_id
from longshore_storage.errors import CommitUnknown

from .once import Once
from .queueing import check_not_frozen, check_payload_present, lock_place, take_place
from .requests import PromoteRequest
from .second_person import SecondPerson
from .terms import Terms


class Gates:
    """The use case PromoteDeployment."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups, second_person: SecondPerson) -> None:
        self._catalogue = catalogue
        self._once = Once(catalogue, wakeups)
        self._second_person = second_person

    async def promote(self, request: PromoteRequest, actor: Actor) -> Deployment:
        """Let a deployment pass the gate that the request names; again, it changes nothing.

        Its terms must hold now: what was expected to be live when it was staged, and its queue policy.
        """
        async with self._second_person.told(actor, deployment_id=request.deployment_id):
            try:
                async with self._catalogue.transaction() as transaction:
                    promoted = await self._promote(transaction, request, actor)
            except (StatusMoved, CommitUnknown):
                # Another call was faster, or the commit's outcome is not known: the row tells.
                async with self._catalogue.transaction() as transaction:
                    promoted = await self._promote(transaction, request, actor)
        self._once.wake(promoted)
        return promoted

    async def _promote(self, transaction: Transaction, request: PromoteRequest, actor: Actor) -> Deployment:
        deployment = await deployments.get_deployment(transaction, request.deployment_id)
        if deployment is None:
            raise Refusal(
                Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {request.deployment_id!r}"
            )
        await _check_second_person(transaction, deployment, actor)
        if deployment.gate_id != request.gate_id:
            return await self._promote_canary(transaction, deployment, request, actor)
        if deployment.status is not DeploymentStatus.STAGED:
            if deployment.queue_order is None:
                raise Refusal(
                    Reason.STATUS_CONFLICT,
                    f"deployment {deployment.id} is {deployment.status} and never passed its gate",
                )
            return deployment
        needs = await bundles.needs_of(transaction, deployment.release_id) if deployment.release_id else ()
        live = await lock_place(transaction, deployment.project, deployment.environment, needs)
        check_not_frozen(live)
        release = None
        if deployment.release_id is not None:
            release = await releases.get_release(transaction, deployment.release_id)
            check_payload_present(release)
        return await take_place(
            transaction,
            live,
            deployment.id,
            release,
            Terms.of(deployment),
            actor,
            expected=(DeploymentStatus.STAGED,),
            action="deployment.promoted",
            message=f"by {actor.principal}",
        )

    async def _promote_canary(
        self, transaction: Transaction, deployment: Deployment, request: PromoteRequest, actor: Actor
    ) -> Deployment:
        """Ask the controller to pass the canary step at which a rollout stands."""
        # A freeze does not hold it: the rollout has begun.
        await projects.lock_live(transaction, deployment.project, deployment.environment)
        standing = await deployments.get_deployment(transaction, deployment.id)
        assert standing is not None, "a deployment is never deleted"
        passed = (canary_gate_id(standing.id, n + 1) for n in range(standing.passed_canary_steps))
        if request.gate_id in passed:
            return standing
        if request.gate_id != standing.waiting_gate_id or standing.cancelled_by or standing.has_ended:
            gate_id = standing.waiting_gate_id or standing.gate_id
            raise Refusal(
                Reason.GATE_MISMATCH,
                f"deployment {standing.id} is {standing.status} and "
                + (f"its gate is {gate_id}" if gate_id else "waits at no gate")
                + f", not {request.gate_id}: look at it again, and decide again",
            )
        if standing.promoted_gate_id == request.gate_id:
            return standing
        return await rollouts.request_promoting(transaction, standing, request.gate_id, actor)


async def _check_second_person(transaction: Transaction, deployment: Deployment, actor: Actor) -> None:
    live = await projects.get_live(transaction, deployment.project, deployment.environment)
    if live is None or actor.principal != deployment.deployed_by:
        return
    if await takes_second_person(transaction, live):
        raise Refusal(
            Reason.SECOND_PERSON_REQUIRED,
            f"{actor.principal} deployed this: in {deployment.environment} somebody else has to promote it",
        )
