"""Workflows registered again from the files of stored releases, and unregistered.

Only a release that was read to its end changes what is registered of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from longshore_bundles import Finding, Severity
from longshore_server.deploying.bundle_content import Examined
from longshore_server.deploying.examining import Examiner
from longshore_server.deploying.queueing import find_release
from longshore_server.refusal import Reason, Refusal
from longshore_server.translation import refusal_of
from longshore_storage.catalogue import Catalogue, Transaction, projects, releases, workflows
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor, Release
from longshore_storage.catalogue.workflows import WorkflowRow
from longshore_storage.errors import CommitUnknown, Misconfigured, Unavailable

from .stored import examine_release

_MOST_TOLD: Final = 500
_MOST_WARNINGS: Final = 20


class Outcome(StrEnum):
    """What became of a workflow that was read again."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True)
class SyncedWorkflow:
    """One that is registered now; ``warnings`` are the first of what is worth mending in it."""

    ref: str
    release_version: str
    outcome: Outcome
    warnings: Sequence[str]
    total_warnings: int


@dataclass(slots=True)
class Synced:
    """What reading again came to; ``pruned`` are refs of those that are registered no more.

    Lists hold the first 500 of what their totals count.
    """

    loaded: int = 0
    registered: list[SyncedWorkflow] = field(default_factory=list)
    total_registered: int = 0
    pruned: list[str] = field(default_factory=list)
    total_pruned: int = 0
    errors: list[Finding] = field(default_factory=list)
    total_errors: int = 0

    def add_registered(self, workflow: SyncedWorkflow) -> None:
        """Count one that is registered now."""
        self.total_registered += 1
        if len(self.registered) < _MOST_TOLD:
            self.registered.append(workflow)

    def add_pruned(self, refs: Sequence[str]) -> None:
        """Count those that are registered no more."""
        self.total_pruned += len(refs)
        self.pruned += refs[: _MOST_TOLD - len(self.pruned)]

    def add_errors(self, errors: Sequence[Finding], total: int) -> None:
        """Count errors, the first of so many."""
        self.total_errors += total
        self.errors += errors[: _MOST_TOLD - len(self.errors)]


class WorkflowSync:
    """The use cases SyncWorkflows and DeleteWorkflows."""

    def __init__(self, catalogue: Catalogue, examiner: Examiner) -> None:
        self._catalogue = catalogue
        self._examiner = examiner

    async def sync(self, project: str, version: str, actor: Actor) -> Synced:
        """Read releases' files again: of one version, or of all that are live; ``project`` empty for all.

        What cannot be read is among the errors, and does not stop the others. Those that were deleted come
        back with all of a project's releases, unless only one version is meant.
        """
        synced = Synced()
        for release in await self._releases(project, version):
            try:
                examined = await examine_release(self._examiner, release)
            except (Unavailable, Misconfigured, CommitUnknown):
                # So it would be with all that are left.
                raise
            except Exception as error:
                refusal = refusal_of(error)
                if refusal is None:
                    raise
                finding = Finding(refusal.reason, Severity.ERROR, refusal.message)
                synced.add_errors([_of_release(release, finding)], 1)
            else:
                await self._register(release, examined, actor, synced)
        if not version:
            await self._bring_back(project, actor)
        return synced

    async def delete(self, project: str, actor: Actor) -> int:
        """Unregister the workflows of all of a project's releases; tells how many."""
        async with self._catalogue.transaction() as transaction:
            await _lock(transaction, project)
            deleted = await workflows.delete_of_project(transaction, project)
            if deleted:
                await record_audit(
                    transaction,
                    actor,
                    "workflows.deleted",
                    project=project,
                    from_status="REGISTERED",
                    to_status="DELETED",
                    message=f"{deleted} workflows",
                )
        return deleted

    async def _releases(self, project: str, version: str) -> Sequence[Release]:
        async with self._catalogue.reading() as transaction:
            if project and await projects.get_project(transaction, project) is None:
                raise _unknown(project)
            if version:
                return [await find_release(transaction, project, version)]
            ids = await workflows.live_releases(transaction, project)
            return [await releases.get_release(transaction, each) for each in ids]

    async def _register(self, release: Release, examined: Examined, actor: Actor, synced: Synced) -> None:
        content = examined.bundle
        async with self._catalogue.transaction() as transaction:
            await _lock(transaction, release.project)
            known = await workflows.of_release(transaction, release.id)
            await content.register(transaction, release.id)
            if {row.place: row for row in content.workflows} != {row.place: row for row in known}:
                await record_audit(
                    transaction,
                    actor,
                    "workflows.synced",
                    project=release.project,
                    version=release.version,
                    from_status=f"{len(known)} workflows",
                    to_status=f"{len(content.workflows)} workflows",
                    message=f"{len(content.workflows)} workflows",
                )
        found = examined.scan.workflow_findings
        errors = [_of_release(release, each) for each in found if each.severity is Severity.ERROR]
        synced.loaded += len(content.workflows)
        synced.add_errors(errors, examined.scan.workflow_error_count)
        before = {row.ref: row for row in known if row.registered}
        after = {row.ref: row for row in content.workflows if row.registered}
        synced.add_pruned(sorted(before.keys() - after.keys()))
        warnings: dict[str, list[str]] = defaultdict(list)
        for finding in found:
            if finding.severity is Severity.WARNING:
                warnings[finding.path].append(finding.message)
        for ref, row in sorted(after.items()):
            own = warnings[row.path]
            outcome = _outcome(before.get(ref), row)
            synced.add_registered(
                SyncedWorkflow(ref, release.version, outcome, own[:_MOST_WARNINGS], len(own))
            )

    async def _bring_back(self, project: str, actor: Actor) -> None:
        """Those of releases that are not live: a rollback makes them live without reading them again."""
        async with self._catalogue.reading() as transaction:
            marked = [project] if project else await workflows.projects_with_deleted(transaction)
        for each in marked:
            async with self._catalogue.transaction() as transaction:
                await _lock(transaction, each)
                restored = await workflows.restore_of_project(transaction, each)
                if restored:
                    await record_audit(
                        transaction,
                        actor,
                        "workflows.restored",
                        project=each,
                        from_status="DELETED",
                        to_status="REGISTERED",
                        message=f"{restored} workflows of releases that are not live",
                    )


def _of_release(release: Release, finding: Finding) -> Finding:
    """A finding that tells which release it is about: files of several have one path."""
    return replace(finding, message=f"{release.project} {release.version}: {finding.message}")


def _outcome(before: WorkflowRow | None, after: WorkflowRow) -> Outcome:
    if before is None:
        return Outcome.CREATED
    return Outcome.UNCHANGED if before == after else Outcome.UPDATED


async def _lock(transaction: Transaction, project: str) -> None:
    if await projects.lock_project(transaction, project) is None:
        raise _unknown(project)


def _unknown(project: str) -> Refusal:
    return Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project[:100]!r}")
