"""Recording a deployment once, however often its call comes: the id that the client made is the key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Kind, Wakeups, rollout_ident
from longshore_storage.catalogue import Catalogue, Transaction, deployments
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.errors import CommitUnknown, ConstraintViolated

Record = Callable[[Transaction], Awaitable[Deployment | None]]


class Once:
    """Runs what records a deployment, unless its id is recorded already, and wakes whoever goes on."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups

    async def record(self, deployment_id: str, digest: str, record: Record) -> Deployment | None:
        """The deployment of that id; None when ``record`` found nothing to do.

        Raises ``Refusal`` where the id means another call.
        """
        try:
            async with self._catalogue.transaction() as transaction:
                deployment = await same_again(transaction, deployment_id, digest)
                if deployment is None:
                    deployment = await record(transaction)
        except (ConstraintViolated, CommitUnknown):
            # Another call with this id was faster, or the commit's outcome is not known: the row tells.
            async with self._catalogue.reading() as transaction:
                deployment = await same_again(transaction, deployment_id, digest)
            if deployment is None:
                raise
        if deployment is not None:
            self.wake(deployment)
        return deployment

    def wake(self, deployment: Deployment) -> None:
        """Let controllers look; followers hear of every event by themselves."""
        self._wakeups.send(Kind.ROLLOUTS, rollout_ident(deployment.project, deployment.environment))


async def same_again(transaction: Transaction, deployment_id: str, digest: str) -> Deployment | None:
    """The deployment of that id, if there is one; raises ``Refusal`` where the id means another call."""
    deployment = await deployments.get_accepted(transaction, deployment_id)
    if deployment is not None and deployment.request_digest != digest:
        raise id_reused(deployment)
    return deployment


def id_reused(deployment: Deployment) -> Refusal:
    """The refusal for an id that means something else already."""
    return Refusal(
        Reason.DEPLOYMENT_ID_REUSED,
        f"deployment id {deployment.id} was used for another call: make a new id for everything new",
    )
