"""Pausing a rollout and letting it go on: requests to its controller, which does it between two steps."""

from __future__ import annotations

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, deployments, projects, rollouts
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment
from longshore_storage.errors import CommitUnknown

from .once import Once
from .requests import PauseRequest

_GOES_ON = (DeploymentStatus.ROLLING_OUT, DeploymentStatus.PAUSED)


class Pausing:
    """The use cases PauseDeployment and ResumeDeployment."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._once = Once(catalogue, wakeups)

    async def pause(self, request: PauseRequest, actor: Actor) -> Deployment:
        """Ask the controller to pause a rollout; again, it changes nothing. Raises ``Refusal``."""
        return await self._ask(request, actor, by=actor.principal)

    async def resume(self, deployment_id: str, actor: Actor) -> Deployment:
        """Ask it to go on; again, it changes nothing. Raises ``Refusal``."""
        return await self._ask(PauseRequest(deployment_id, ""), actor, by="")

    async def _ask(self, request: PauseRequest, actor: Actor, *, by: str) -> Deployment:
        try:
            async with self._catalogue.transaction() as transaction:
                asked = await self._write(transaction, request, actor, by)
        except CommitUnknown:
            # If it took effect, nothing is left to be asked for.
            async with self._catalogue.transaction() as transaction:
                asked = await self._write(transaction, request, actor, by)
        self._once.wake(asked)
        return asked

    async def _write(
        self, transaction: Transaction, request: PauseRequest, actor: Actor, by: str
    ) -> Deployment:
        deployment = await deployments.get_deployment(transaction, request.deployment_id)
        if deployment is None:
            raise Refusal(
                Reason.DEPLOYMENT_NOT_FOUND, f"there is no deployment with the id {request.deployment_id!r}"
            )
        # Under this lock the controller takes its steps: none that began before overlooks the request.
        await projects.lock_live(transaction, deployment.project, deployment.environment)
        rolling = await deployments.get_deployment(transaction, deployment.id)
        assert rolling is not None, "a deployment is never deleted"
        if rolling.status not in _GOES_ON or rolling.cancelled_by:
            what = "is being cancelled" if rolling.cancelled_by else f"is {rolling.status}"
            raise Refusal(
                Reason.STATUS_CONFLICT,
                f"deployment {rolling.id} {what}: only a rollout that is under way can be "
                + ("paused" if by else "resumed"),
            )
        if bool(rolling.paused_by) == bool(by):
            return rolling
        asked = await rollouts.request_pausing(transaction, rolling.id, by, request.reason)
        await record_audit(
            transaction,
            actor,
            "deployment.pause_requested" if by else "deployment.resume_requested",
            deployment=asked,
            from_status=asked.status,
            message=request.reason,
        )
        return asked
