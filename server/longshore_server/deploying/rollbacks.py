"""Rollbacks: an earlier release made live again, in front of everything that is unfinished.

What "previous" means is resolved once, under the live row's lock, and recorded with the deployment, so a
call that is retried with its id never goes back twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from longshore_server.refusal import Reason, Refusal
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import (
    Catalogue,
    Transaction,
    assignments,
    bundles,
    deployments,
    nodes,
    projects,
    releases,
    rollouts,
)
from longshore_storage.catalogue.bundles import Need
from longshore_storage.catalogue.environments import takes_second_person
from longshore_storage.catalogue.lifecycle import ROLLING, DeploymentKind, DeploymentStatus
from longshore_storage.catalogue.rows import Actor, Deployment, Live, Release

from .once import Once, same_again
from .queueing import FROZEN, check_not_frozen, find_release, insert_in_place, lock_place
from .requests import RollbackRequest
from .second_person import SecondPerson


class Rollbacks:
    """The use case Rollback."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups, second_person: SecondPerson) -> None:
        self._once = Once(catalogue, wakeups)
        self._second_person = second_person

    async def roll_back(self, request: RollbackRequest, actor: Actor) -> Deployment | None:
        """Queue a rollback in front of everything; None when there is nothing to do."""
        digest = request.digest(actor)

        async def record(transaction: Transaction) -> Deployment | None:
            # Found out once before the locks, to know which are needed, and once more behind them.
            expected = await self._expected_needs(transaction, request)
            live = await lock_place(transaction, request.project, request.environment, expected)
            if again := await same_again(transaction, request.deployment_id, digest):
                # The same call was faster, and held the locks until now.
                return again
            unfinished = await rollouts.unfinished(transaction, request.project, request.environment)
            current = await _current(transaction, live)
            restored = await self._target(transaction, request, live, current, unfinished)
            release = await _release_of(transaction, restored)
            if not set(await bundles.needs_of(transaction, release.id)) <= set(expected):
                raise Refusal(
                    Reason.CONFLICT,
                    "what is to be gone back to changed meanwhile: call again",
                    retry_after_s=0,
                )
            restored_id = "" if isinstance(restored, Release) else restored.id
            await check_is_way_back(transaction, live, release)
            if not unfinished and await _assigned_everywhere(transaction, live, release):
                return None
            if unfinished and _is_on_its_way(request, unfinished[-1]):
                return None
            taken_back = _taken_back(unfinished, current, release)
            return await insert_in_place(
                transaction,
                live,
                release,
                request.terms,
                actor,
                deployment_id=request.deployment_id,
                kind=DeploymentKind.ROLLBACK,
                request_digest=digest,
                rollback_of=taken_back.id if taken_back else "",
                restored_deployment_id=restored_id,
            )

        place = {"project": request.project, "environment": request.environment}
        async with self._second_person.told(actor, **place):
            return await self._once.record(request.deployment_id, digest, record)

    async def _expected_needs(self, transaction: Transaction, request: RollbackRequest) -> Sequence[Need]:
        """What the release needs that would be gone back to now; nothing where there is none."""
        live = await projects.get_live(transaction, request.project, request.environment)
        if live is None:
            return ()
        unfinished = await rollouts.unfinished(transaction, request.project, request.environment)
        current = await _current(transaction, live)
        try:
            target = await self._target(transaction, request, live, current, unfinished)
        except Refusal:
            return ()
        return await bundles.needs_of(transaction, (await _release_of(transaction, target)).id)

    async def _target(
        self,
        transaction: Transaction,
        request: RollbackRequest,
        live: Live,
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
                why = "took the project off" if target.record_time is not None else "was never recorded"
                raise Refusal(
                    Reason.NO_PREVIOUS_RELEASE,
                    f"deployment {target.id} {why}, so there is no release to go back to",
                )
            if target.status is DeploymentStatus.STAGED:
                raise Refusal(
                    Reason.STATUS_CONFLICT,
                    f"deployment {target.id} waits at its gate and was never live: promote it instead",
                )
            return target
        if request.version:
            release = await find_release(transaction, request.project, request.version)
            last = await deployments.last_success(transaction, request.environment, release.id)
            return last or release
        astray = unfinished or await assignments.are_kept_on_another(transaction, live)
        if astray and current is not None and current.release_id is not None:
            return current
        if unfinished:
            raise Refusal(
                Reason.NO_PREVIOUS_RELEASE,
                f"nothing of {request.project} is live in {request.environment}, so there is nothing to go "
                f"back to: cancel deployment {unfinished[-1].id} instead, or name a version to make live",
            )
        previous = await deployments.previous_of(transaction, current) if current else None
        if previous is None:
            raise Refusal(
                Reason.NO_PREVIOUS_RELEASE,
                f"nothing was live of {request.project} in {request.environment} before: "
                "name a version to make live",
            )
        return previous


async def check_is_way_back(transaction: Transaction, live: Live, release: Release) -> None:
    """Raise ``Refusal`` for what was never live there, where nothing new may go live, or not by one alone."""
    if await deployments.last_success(transaction, live.environment, release.id) is not None:
        return
    check_not_frozen(live)
    if await takes_second_person(transaction, live):
        raise Refusal(
            Reason.SECOND_PERSON_REQUIRED,
            f"{release.project} {release.version} was never live in {live.environment}, where a second "
            "person has to promote what is new: deploy it, and have somebody else promote it",
        )


def _is_on_its_way(request: RollbackRequest, newest: Deployment) -> bool:
    """Whether a rollback is under way already, so that asking once more must not take that one back."""
    no_target = not (request.version or request.target_deployment_id)
    return no_target and newest.kind is DeploymentKind.ROLLBACK and newest.status_reason != FROZEN


def _taken_back(
    unfinished: Sequence[Deployment], current: Deployment | None, release: Release
) -> Deployment | None:
    """What the rollback takes back: what rolls out, else what waits, else what is live, if it is another."""
    rolling = next((one for one in unfinished if one.status in ROLLING), None)
    if rolling is not None or unfinished:
        return rolling or unfinished[-1]
    return current if current is not None and current.release_id != release.id else None


async def taken_back_by(transaction: Transaction, live: Live, release: Release) -> str:
    """The id of what a rollback to ``release`` takes back; empty when it is nothing else."""
    unfinished = await rollouts.unfinished(transaction, live.project, live.environment)
    taken_back = _taken_back(unfinished, await _current(transaction, live), release)
    return taken_back.id if taken_back else ""


async def _release_of(transaction: Transaction, target: Deployment | Release) -> Release:
    if isinstance(target, Release):
        return target
    assert target.release_id is not None
    return await releases.get_release(transaction, target.release_id)


async def _current(transaction: Transaction, live: Live) -> Deployment | None:
    if live.live_deployment_id is None:
        return None
    return await deployments.get_deployment(transaction, live.live_deployment_id)


async def _assigned_everywhere(transaction: Transaction, live: Live, release: Release) -> bool:
    assigned = await assignments.assigned_releases(transaction, live.project, live.environment)
    covered = await nodes.installing_nodes(transaction, live.environment, live.node_selector)
    # Those that have nothing because they do not match the project's selector do not count.
    to_have = {node.id for node in covered}
    counted = [release_id for node_id, release_id in assigned if release_id or node_id in to_have]
    return bool(counted) and all(release_id == release.id for release_id in counted)
