"""Cancelling: at once before the rollout; from then on by the controller, which takes the nodes back."""

from __future__ import annotations

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, deployments, projects, rollouts, uploads
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.journal import StatusMoved, change_status
from longshore_storage.catalogue.lifecycle import ROLLING, TERMINAL, UPLOADING, DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.errors import CommitUnknown

from .once import Once
from .requests import CancelRequest

# Each look finds the deployment further on than the one before, so few are enough.
_LOOKS = 8


class Cancellation:
    """The use case CancelDeployment."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._once = Once(catalogue, wakeups)

    async def cancel(self, request: CancelRequest, actor: Actor) -> Deployment:
        """Cancel a deployment or ask its controller to; again, it changes nothing.

        Raises ``Refusal`` for one that has ended otherwise.
        """
        for _ in range(_LOOKS):
            try:
                async with self._catalogue.transaction() as transaction:
                    cancelled = await self._cancel(transaction, request, actor)
            except (StatusMoved, CommitUnknown):
                # It has moved on meanwhile, or the commit's outcome is not known: look again.
                continue
            self._once.wake(cancelled)
            return cancelled
        raise Refusal(
            Reason.CONFLICT,
            f"deployment {request.deployment_id} moves on just now: call again",
            retry_after_s=1,
        )

    async def _cancel(self, transaction: Transaction, request: CancelRequest, actor: Actor) -> Deployment:
        deployment = await deployments.get_deployment(transaction, request.deployment_id)
        if deployment is None:
            raise Refusal(
                Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {request.deployment_id!r}"
            )
        if deployment.status is DeploymentStatus.CANCELLED:
            return deployment
        if deployment.status in TERMINAL:
            raise Refusal(
                Reason.STATUS_CONFLICT,
                f"deployment {deployment.id} has ended already: it is {deployment.status}",
            )
        if deployment.status in ROLLING:
            return await self._ask(transaction, deployment, request, actor)
        return await self._end(transaction, deployment, request, actor)

    async def _end(
        self, transaction: Transaction, deployment: Deployment, request: CancelRequest, actor: Actor
    ) -> Deployment:
        message = cancel_message(actor.principal, request.reason)
        uploading = deployment.status in UPLOADING
        if uploading:
            await uploads.lock_upload(transaction, deployment.id)
        else:
            await projects.lock_live(transaction, deployment.project, deployment.environment)
        cancelled = await change_status(
            transaction,
            deployment.id,
            expected=(deployment.status,),
            to=DeploymentStatus.CANCELLED,
            actor=actor,
            action="deployment.cancelled",
            message=message,
            values={
                "cancelled_by": actor.principal,
                "cancel_reason": request.reason,
                "error": Refusal(Reason.CANCELLED, message).to_row(),
            },
        )
        if uploading:
            await uploads.drop_upload(transaction, deployment.id)
        return cancelled

    async def _ask(
        self, transaction: Transaction, deployment: Deployment, request: CancelRequest, actor: Actor
    ) -> Deployment:
        # Under this lock the controller takes its steps: none that began before overlooks the request.
        await projects.lock_live(transaction, deployment.project, deployment.environment)
        rolling = await deployments.get_deployment(transaction, deployment.id)
        assert rolling is not None, "a deployment is never deleted"
        if rolling.status not in ROLLING:
            raise StatusMoved(f"deployment {rolling.id} is {rolling.status} by now")
        if rolling.cancelled_by:
            return rolling
        if rolling.status is DeploymentStatus.REVERTING:
            raise Refusal(
                Reason.STATUS_CONFLICT,
                f"deployment {rolling.id} is being taken back already, and ends {rolling.intended_outcome}",
            )
        asked = await rollouts.request_cancelling(transaction, rolling.id, actor.principal, request.reason)
        await record_audit(
            transaction,
            actor,
            "deployment.cancel_requested",
            deployment=asked,
            from_status=asked.status,
            message=cancel_message(actor.principal, request.reason),
        )
        return asked


def cancel_message(by: str, reason: str) -> str:
    """What people read about a cancelled deployment."""
    return f"cancelled by {by}" + (f": {reason}" if reason else "")
