"""Taking a project off an environment's nodes."""

from __future__ import annotations

from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, assignments, rollouts
from longshore_storage.catalogue.lifecycle import DeploymentKind
from longshore_storage.catalogue.rows import Actor, Deployment

from .once import Once
from .queueing import insert_in_place, lock_place
from .requests import UndeployRequest


class Undeploys:
    """The use case Undeploy."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._once = Once(catalogue, wakeups)

    async def undeploy(self, request: UndeployRequest, actor: Actor) -> Deployment | None:
        """Queue an undeploy; None when nothing is live, assigned or unfinished."""
        digest = request.digest(actor)

        async def record(transaction: Transaction) -> Deployment | None:
            live = await lock_place(transaction, request.project, request.environment)
            place = (transaction, request.project, request.environment)
            assigned = await assignments.assigned_releases(*place)
            is_there = live.live_release_id is not None or any(release for _, release in assigned)
            if not is_there and not await rollouts.unfinished(*place):
                return None
            return await insert_in_place(
                transaction,
                live,
                None,
                request.terms,
                actor,
                deployment_id=request.deployment_id,
                kind=DeploymentKind.UNDEPLOY,
                request_digest=digest,
            )

        return await self._once.record(request.deployment_id, digest, record)
