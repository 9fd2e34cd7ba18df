"""The use cases VerifyProject and GetVerification: writing down what is asked, and telling what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from longshore_server.deploying.queueing import check_environment_exists
from longshore_server.deploying.requests import DEFAULT_ENVIRONMENT, check_place, check_uuid
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Kind, Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, projects, verifications
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor
from longshore_storage.catalogue.verifications import NodeVerification, Verification
from longshore_storage.errors import CommitUnknown, ConstraintViolated

_MOST_NODES: Final = 1_000
# Not longer: one that waits for a rollout may wait for a person.
_WAITED_FOR: Final = timedelta(minutes=10)
_RETRY_AFTER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class VerificationView:
    """What was asked, and what nodes have found so far, by name, at most 1,000."""

    asked: Verification
    nodes: Sequence[NodeVerification]


class Verifications:
    """Asks nodes, and tells."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups

    async def verify(
        self, verification_id: str, project: str, environment: str, *, repair: bool, actor: Actor
    ) -> VerificationView:
        """Have the nodes of an environment look; the same id again only tells how far they are.

        Raises ``Refusal``.
        """
        ident = check_uuid("verification_id", verification_id)
        place = check_place("", project, environment or DEFAULT_ENVIRONMENT)
        try:
            view = await self._ask(ident, *place, repair=repair, actor=actor)
        except (CommitUnknown, ConstraintViolated):
            # It took effect, or the same call was faster: then it is only told.
            view = await self._ask(ident, *place, repair=repair, actor=actor)
        self._wakeups.send(Kind.VERIFICATIONS, place[1])
        return view

    async def get(self, verification_id: str) -> VerificationView:
        """Tell one. Raises ``Refusal`` for one that is not known (any more)."""
        ident = check_uuid("verification_id", verification_id)
        async with self._catalogue.reading() as transaction:
            asked = await verifications.get_verification(transaction, ident)
            if asked is None:
                raise Refusal(
                    Reason.VERIFICATION_NOT_FOUND,
                    f"there is no verification {ident}: they are kept for a day",
                )
            return await _view(transaction, asked)

    async def _ask(
        self, ident: str, project: str, environment: str, *, repair: bool, actor: Actor
    ) -> VerificationView:
        async with self._catalogue.transaction() as transaction:
            # Of two who ask at once one sees the other.
            if await projects.lock_project(transaction, project) is None:
                raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project!r}")
            asked = await verifications.get_verification(transaction, ident)
            if asked is None:
                await check_environment_exists(transaction, environment)
                await _check_none_is_at_it(transaction, project, environment, repair=repair)
                await verifications.drop_old(transaction)
                asked = await verifications.ask(
                    transaction,
                    ident,
                    project=project,
                    environment=environment,
                    repair=repair,
                    asked_by=actor.principal,
                )
                await record_audit(
                    transaction,
                    actor,
                    "project.verified",
                    project=project,
                    environment=environment,
                    message=f"verification {ident}" + (", with repair" if repair else ""),
                )
            elif (asked.project, asked.environment, asked.repair) != (project, environment, repair):
                raise invalid("verification_id", f"{ident} is that of another verification: make a new one")
            return await _view(transaction, asked)


async def _check_none_is_at_it(
    transaction: Transaction, project: str, environment: str, *, repair: bool
) -> None:
    """Refuse what would have nodes read the same trees once more beside a verification that is under way."""
    other = await verifications.unfinished(
        transaction, project=project, environment=environment, repair=repair, within=_WAITED_FOR
    )
    if other is not None:
        raise Refusal(
            Reason.CONFLICT,
            f"{other.asked_by} has {project} in {environment} verified already, and nodes are still at it: "
            f"look at verification {other.id}, or ask again when it has ended",
            retry_after_s=_RETRY_AFTER_S,
        )


async def _view(transaction: Transaction, asked: Verification) -> VerificationView:
    return VerificationView(asked, await verifications.list_nodes(transaction, asked.id, limit=_MOST_NODES))
