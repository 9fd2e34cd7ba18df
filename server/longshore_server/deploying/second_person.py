"""Where nobody brings something live alone: who tries is refused, and the audit trail tells of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from longshore_server.access.denials import Denials
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.rows import Actor


class SecondPerson:
    """Tells of those who would have done alone what takes two; ``on_denied`` counts them, see ``Denials``."""

    def __init__(self, catalogue: Catalogue, on_denied: Callable[[str], None] = lambda _: None) -> None:
        self._catalogue = catalogue
        self._denials = Denials(catalogue, on_denied)

    @asynccontextmanager
    async def told(
        self, actor: Actor, *, project: str = "", environment: str = "", deployment_id: str = ""
    ) -> AsyncIterator[None]:
        """Tell of the block's refusal, if it is for that; where, also a deployment tells."""
        try:
            yield
        except Refusal as refusal:
            if refusal.reason is Reason.SECOND_PERSON_REQUIRED:
                if deployment_id:
                    async with self._catalogue.reading() as transaction:
                        deployment = await deployments.get_deployment(transaction, deployment_id)
                    if deployment is not None:
                        project, environment = deployment.project, deployment.environment
                await self._denials.record(
                    actor, refusal.reason, refusal.message, project=project, environment=environment
                )
            raise
