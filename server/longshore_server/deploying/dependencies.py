"""What a deployment needs of other projects in its environment, and what those need of it.

Looked at when a deployment is recorded and when it is promoted, under the rows of all projects that it is
about, so that of two calls that do not go together one is refused. What counts is what is live there and what
is on its way: a release that is being replaced by one that does not do is none to count on.

A need binds those who may see each other, or strangers could hold one another up. So a release is brought to
an environment by somebody who may read what it needs there, skipping or not; and it holds up only those who
may read it. What a caller may not read of what is needed counts, but is not told of.
"""

from __future__ import annotations

from collections.abc import Sequence

from longshore_bundles import Dependency, Finding, Severity, cycle_findings, dependency_findings
from longshore_server.access import readable
from longshore_server.findings import told
from longshore_server.refusal import MOST_FINDINGS_TOLD, Reason, Refusal
from longshore_storage.catalogue import Transaction, bundles, deployments
from longshore_storage.catalogue.bundles import Need
from longshore_storage.catalogue.rows import Release
from longshore_storage.catalogue.scopes import covers


async def check_dependencies(
    transaction: Transaction, project: str, environment: str, release: Release | None, *, skipped: bool
) -> None:
    """Raise ``Refusal`` where a release and what stands beside it do not go together; None takes it off.

    Where that is ``skipped`` it is only looked at who brings it there.
    """
    if release is not None:
        needs = await bundles.needs_of(transaction, release.id)
        what = f"{project} {release.version} cannot go live"
        found = unseen(environment, needs)
        if found and await deployments.last_success(transaction, environment, release.id) is None:
            raise _refusal(
                Reason.DEPENDENCY_UNSATISFIED,
                what,
                found,
                "have it made live by somebody who may; then you can go back to it",
            )
        found = [] if skipped else await unsatisfied(transaction, project, environment, needs)
        if found:
            raise _refusal(Reason.DEPENDENCY_UNSATISFIED, what, found)
    if skipped:
        return
    version = release.version if release is not None else None
    if found := await forsaken(transaction, project, environment, version):
        what = f"is not replaced by {version}" if version else "stays"
        raise _refusal(Reason.DEPENDANT_LIVE, f"{project} in {environment} {what}", found)


def unseen(environment: str, needs: Sequence[Need]) -> list[Finding]:
    """What a release needs that its caller may not read there: the same whether it is there or not."""
    return [
        Finding("DEPENDENCY_MISSING", Severity.ERROR, f"Required pack '{need.project}' is not for you to see")
        for need in needs
        if not _is_seen(need, environment)
    ]


async def unsatisfied(
    transaction: Transaction, project: str, environment: str, needs: Sequence[Need]
) -> list[Finding]:
    """What is missing of what a release of ``project`` needs, and the circles that it would close."""
    if not needs:
        return []
    standing = await bundles.standing_versions(transaction, environment, [need.project for need in needs])
    found = []
    for need in needs:
        required = [Dependency(need.project, need.constraint)]
        there = standing.get(need.project)
        versions = [there.live, *there.coming] if there is not None else [None]
        # All of them must do: what is live until then, and what takes its place.
        answers = [
            dependency_findings(required, {need.project: version} if version else {}) for version in versions
        ]
        wrong = next(filter(None, answers), [])
        if wrong and not _is_seen(need, environment):
            wrong = [_not_there(need)]
        found += wrong
    return found + await _circle(transaction, project, environment, needs)


async def _circle(
    transaction: Transaction, project: str, environment: str, needs: Sequence[Need]
) -> list[Finding]:
    """The shortest way on which what is needed comes to need ``project`` itself, where there is one."""
    reached_from = {need.project: project for need in needs}
    last = set(reached_from)
    while last and project not in reached_from:
        further = await bundles.standing_needs(transaction, environment, last)
        last = {needed for _, needed in further if needed not in reached_from}
        reached_from |= {needed: each for each, needed in further if needed in last}
    if project not in reached_from:
        return []
    circle: dict[str, list[str]] = {}
    each = project
    while each != project or not circle:
        circle[reached_from[each]] = [each]
        each = reached_from[each]
    if not all(covers(readable(), name, environment) for name in circle):
        message = f"What {project} needs comes to need {project} itself: take one of its dependencies out"
        return [Finding("DEPENDENCY_CYCLE", Severity.ERROR, message)]
    return cycle_findings(circle)


async def forsaken(
    transaction: Transaction, project: str, environment: str, version: str | None
) -> list[Finding]:
    """Who needs ``project`` in another version than this one, or at all where it is None: taken off.

    Only those whom the caller may read: somebody whom he cannot see cannot be asked to mend it.
    """
    if not await bundles.is_needed(transaction, project):
        return []
    found = []
    for dependant in await bundles.dependants(transaction, environment, project):
        if dependant.project == project or not covers(readable(), dependant.project, environment):
            continue
        required = [Dependency(project, dependant.constraint)]
        if dependency_findings(required, {project: version} if version else {}):
            constraint = f" {dependant.constraint}" if dependant.constraint != "*" else ""
            message = f"{dependant.project} {dependant.version} needs {project}{constraint}"
            found.append(Finding("DEPENDANT_LIVE", Severity.ERROR, message))
    return found


def _is_seen(need: Need, environment: str) -> bool:
    return covers(readable(), need.project, environment)


def _not_there(need: Need) -> Finding:
    """The one answer about a project that is not to be seen: there in another version, or not at all."""
    named = need.constraint not in ("", "*")
    constraint = f" in a version that satisfies '{need.constraint}'" if named else ""
    message = f"Required pack '{need.project}' is not installed{constraint}, or not for you to see"
    return Finding("DEPENDENCY_MISSING", Severity.ERROR, message)


def _refusal(
    reason: Reason, what: str, found: Sequence[Finding], advice: str = "mend that first, or skip dependencies"
) -> Refusal:
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Refusal(
        reason,
        f"{what}: {found[0].message}{more}; {advice}",
        findings=[told(finding) for finding in found[:MOST_FINDINGS_TOLD]],
        total_findings=len(found),
    )
