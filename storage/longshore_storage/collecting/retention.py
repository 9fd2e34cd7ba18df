"""Retention: releases that no environment's policy keeps lose the reference to their payload, no more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass

from longshore_storage.catalogue import Catalogue, Transaction, projects, retaining
from longshore_storage.catalogue.audit_trail import record_audits
from longshore_storage.catalogue.retaining import Reclaimable, RetentionPolicy
from longshore_storage.catalogue.rows import Actor

_PROJECTS_PAGE = 500
_RELEASES_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Retention:
    """Which releases keep their payload: a policy for each project and environment, and how far back.

    What was set for a project in an environment comes before both. The last ``rollback_targets`` releases
    that went live in an environment, and were not taken back, keep theirs whatever the policy says, as does
    what is live, assigned to a node, or on its way.
    """

    policy_of: Callable[[str, str], RetentionPolicy]
    rollback_targets: int


async def reclaim_payloads(catalogue: Catalogue, retention: Retention, actor: Actor) -> tuple[int, int]:
    """Apply retention everywhere; tells how many releases lost their payload, and its bytes."""
    count = size_bytes = 0
    async for project, policies in limited_projects(catalogue, retention):
        while await _any_reclaimable(catalogue, retention, project, policies):
            async with catalogue.transaction() as transaction:
                await projects.lock_project(transaction, project)
                # Under this lock they are changed: what was set since the look counts.
                set_now = await retaining.policies_of(transaction, [project], retention.policy_of)
                policies = set_now.get(project, {})
                found = await retaining.reclaimable(
                    transaction,
                    project,
                    policies,
                    rollback_targets=retention.rollback_targets,
                    limit=_RELEASES_PAGE,
                )
                await _reclaim(transaction, project, found, actor)
            count += len(found)
            size_bytes += sum(release.payload_size_bytes for release in found)
    return count, size_bytes


async def limited_projects(
    catalogue: Catalogue, retention: Retention
) -> AsyncGenerator[tuple[str, dict[str, RetentionPolicy]], None]:
    """Every project that has a policy with a limit, with its policies by environment."""
    after = ""
    while True:
        async with catalogue.reading() as transaction:
            page = await projects.list_projects(transaction, after=after, limit=_PROJECTS_PAGE)
            names = [project.name for project in page]
            by_project = await retaining.policies_of(transaction, names, retention.policy_of)
        for project in page:
            policies = by_project.get(project.name, {})
            if any(not policy.keeps_all for policy in policies.values()):
                yield project.name, policies
        if len(page) < _PROJECTS_PAGE:
            return
        after = page[-1].name


async def _any_reclaimable(
    catalogue: Catalogue, retention: Retention, project: str, policies: Mapping[str, RetentionPolicy]
) -> bool:
    # Looked for without the lock first: mostly there is nothing, and deploys go through that row.
    async with catalogue.reading() as transaction:
        return bool(
            await retaining.reclaimable(
                transaction, project, policies, rollback_targets=retention.rollback_targets, limit=1
            )
        )


async def _reclaim(
    transaction: Transaction, project: str, releases: Sequence[Reclaimable], actor: Actor
) -> None:
    await retaining.drop_references(transaction, [release.id for release in releases])
    messages = {release.version: f"{release.payload_size_bytes} bytes, by retention" for release in releases}
    await record_audits(
        transaction,
        actor,
        "payload.reclaimed",
        project=project,
        messages=messages,
        from_status="STORED",
        to_status="RECLAIMED",
    )
