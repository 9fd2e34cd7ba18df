"""A deployment's place: locked, checked against its terms, and taken in the queue or before a gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from longshore_bundles import case_folded
from longshore_server.access import readable
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Transaction, deployments, projects, releases, rollouts
from longshore_storage.catalogue.bundles import Need
from longshore_storage.catalogue.environments import takes_second_person
from longshore_storage.catalogue.journal import change_status
from longshore_storage.catalogue.lifecycle import DeploymentKind, DeploymentStatus, QueuePolicy
from longshore_storage.catalogue.rows import Actor, Deployment, Live, Release
from longshore_storage.catalogue.scopes import covers

from .dependencies import check_dependencies
from .terms import Terms

FROZEN = "frozen"
"""The ``status_reason`` of what waits for the end of a freeze."""


async def lock_place(
    transaction: Transaction, project: str, environment: str, needs: Sequence[Need] = ()
) -> Live:
    """Lock a project's row, with those of what its release ``needs``, and then its live row.

    Raises ``Refusal`` where the project or the environment is unknown.
    """
    names = [project, *(need.project for need in needs)]
    if project not in await projects.lock_projects(transaction, names):
        raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project!r}")
    await check_environment_exists(transaction, environment)
    return await projects.lock_live(transaction, project, environment)


async def find_release(transaction: Transaction, project: str, version: str) -> Release:
    """A release by its version; raises ``Refusal`` where there is none."""
    release = await releases.find_release(transaction, project, case_folded(version))
    if release is None:
        raise Refusal(Reason.RELEASE_NOT_FOUND, f"{project} has no release {version}")
    return release


async def check_environment_exists(transaction: Transaction, environment: str) -> None:
    """Raise ``Refusal`` for an environment in which no node ever registered."""
    if not await projects.environment_exists(transaction, environment):
        raise Refusal(
            Reason.ENVIRONMENT_NOT_FOUND,
            f"there is no environment {environment!r}: it comes into being when a node registers in it",
        )


async def check_terms(transaction: Transaction, project: str, environment: str, terms: Terms) -> None:
    """Raise ``Refusal`` where the terms do not hold now; under the live row's lock, until its end.

    Which deployments there are is told to whoever may read there.
    """
    is_seen = covers(readable(), project, environment)
    if terms.expected_live is not None:
        live = await projects.get_live(transaction, project, environment)
        check_expected_live(live.live_deployment_id if live else None, terms.expected_live, is_seen=is_seen)
    if terms.queue_policy is QueuePolicy.FAIL:
        unfinished = await rollouts.unfinished(transaction, project, environment)
        if unfinished:
            place = f"{project} in {environment}"
            what = f"another deployment of {place} is unfinished"
            if is_seen:
                what = f"deployment {unfinished[0].id} of {place} is {unfinished[0].status}"
            raise Refusal(
                Reason.QUEUE_BUSY,
                f"{what} and the queue policy is to fail then: wait for its end, or let it wait or supersede",
            )


def check_not_frozen(live: Live | None) -> None:
    """Raise ``Refusal`` where nothing may go live just now."""
    if live is not None and live.freeze_reason:
        since = f" since {live.freeze_time:%Y-%m-%d %H:%M} UTC" if live.freeze_time is not None else ""
        raise Refusal(
            Reason.FROZEN,
            f"{live.project} in {live.environment} is frozen by {live.frozen_by}{since}: "
            f"{live.freeze_reason}",
            metadata={"freeze_reason": live.freeze_reason},
        )


def check_expected_live(live_deployment_id: str | None, expected: str, *, is_seen: bool = True) -> None:
    """Raise ``Refusal`` when something else is live than was expected; it is told where that ``is_seen``."""
    if (live_deployment_id or "") == expected:
        return
    what = f"what is live is not what was expected, {_named(expected)}"
    if is_seen:
        what = f"{_named(live_deployment_id)} is live, {_named(expected)} was expected"
    raise Refusal(
        Reason.LIVE_CHANGED,
        f"{what}: look at what changed, and decide again",
        metadata={"live_deployment_id": live_deployment_id or ""} if is_seen else {},
    )


async def take_place(
    transaction: Transaction,
    live: Live,
    deployment_id: str,
    release: Release | None,
    terms: Terms,
    actor: Actor,
    *,
    expected: Collection[DeploymentStatus],
    action: str,
    message: str,
    values: Mapping[str, Any] | None = None,
) -> Deployment:
    """Make a deployment QUEUED, or STAGED where its terms say so; the caller holds the live row's lock.

    Without a ``release`` it takes the project off. Raises ``Refusal`` where its terms do not hold, or what
    stands beside it does not go with it, ``StatusMoved`` where it is not in ``expected``.
    """
    await check_terms(transaction, live.project, live.environment, terms)
    if terms.skip_dependencies:
        message = f"{message}, dependencies skipped" if message else "dependencies skipped"
    if terms.stage_only:
        return await change_status(
            transaction,
            deployment_id,
            expected=expected,
            to=DeploymentStatus.STAGED,
            actor=actor,
            action=action,
            message=message,
            values={**(values or {}), "gate_id": str(uuid4())},
        )
    await check_dependencies(
        transaction, live.project, live.environment, release, skipped=terms.skip_dependencies
    )
    others: Sequence[Deployment] = ()
    if terms.queue_policy is QueuePolicy.SUPERSEDE:
        others = await rollouts.unfinished(transaction, live.project, live.environment)
    queued = await change_status(
        transaction,
        deployment_id,
        expected=expected,
        to=DeploymentStatus.QUEUED,
        actor=actor,
        action=action,
        message=message,
        values={**(values or {}), "queue_order": await projects.next_queue_order(transaction, live)},
    )
    await _supersede(transaction, others, queued, actor)
    return queued


async def for_place(transaction: Transaction, terms: Terms, live: Live) -> Terms:
    """The terms as the place has them: staged where a second person has to promote."""
    waits = terms.stage_only or await takes_second_person(transaction, live)
    return replace(terms, stage_only=waits)


async def insert_in_place(
    transaction: Transaction,
    live: Live,
    release: Release | None,
    terms: Terms,
    actor: Actor,
    *,
    deployment_id: str,
    kind: DeploymentKind,
    **values: Any,
) -> Deployment:
    """Insert a deployment of an existing release, or of nothing (an undeploy), and give it its place."""
    if kind not in (DeploymentKind.ROLLBACK, DeploymentKind.UNDEPLOY):
        terms = await for_place(transaction, terms, live)
    if kind is not DeploymentKind.ROLLBACK and not terms.stage_only:
        check_not_frozen(live)
    columns: dict[str, Any] = {}
    if release is not None:
        check_payload_present(release)
        columns = {
            "release_id": release.id,
            "version": release.version,
            "payload_sha256": release.payload_sha256,
            "content_sha256": release.content_sha256,
            "payload_size_bytes": release.payload_size_bytes,
            "payload_format": release.payload_format,
            "file_name": release.file_name,
            "bundle_kind": release.kind,
            # What was let through once stays marked wherever it goes.
            "skip_validation": release.validation_skipped,
        }
    await deployments.insert_deployment(
        transaction,
        actor,
        id=deployment_id,
        project=live.project,
        environment=live.environment,
        kind=kind,
        **columns,
        **terms.columns(),
        **values,
    )
    return await take_place(
        transaction,
        live,
        deployment_id,
        release,
        terms,
        actor,
        expected=(DeploymentStatus.PENDING,),
        action="deployment.staged" if terms.stage_only else "deployment.queued",
        message=f"version {release.version}" if release is not None else "",
        values={"record_time": await transaction.now()},
    )


def check_payload_present(release: Release) -> None:
    """Raise ``Refusal`` for a release whose payload is gone."""
    if release.stored_payload is None:
        raise Refusal(
            Reason.PAYLOAD_RECLAIMED,
            f"the payload of {release.project} {release.version} was reclaimed: deploy its content again",
        )


async def _supersede(
    transaction: Transaction, others: Sequence[Deployment], by: Deployment, actor: Actor
) -> None:
    for deployment in others:
        if deployment.status is DeploymentStatus.QUEUED:
            await change_status(
                transaction,
                deployment.id,
                expected=(DeploymentStatus.QUEUED,),
                to=DeploymentStatus.SUPERSEDED,
                actor=actor,
                action="deployment.superseded",
                message=f"by {by.kind.lower()} {by.id}",
            )
    if others:
        await rollouts.request_superseding(transaction, by.project, by.environment, by.id)


def _named(deployment_id: str | None) -> str:
    return f"deployment {deployment_id}" if deployment_id else "nothing"
