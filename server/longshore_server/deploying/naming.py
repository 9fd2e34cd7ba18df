"""A project's name and kind: as the first manifest says that is recorded of it, and the same ever after."""

from __future__ import annotations

from collections.abc import Sequence

from longshore_bundles import Finding, Severity
from longshore_server.findings import told
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Transaction, projects
from longshore_storage.catalogue.projects import Project

from .bundle_content import BundleContent
from .requests import Header

_PLAIN = ("", "COMPONENT")


async def name_project(
    transaction: Transaction, project: Project, bundle: BundleContent, header: Header
) -> Sequence[Finding]:
    """Name a project as its manifest does, under the project's lock.

    Where another manifest named it otherwise: raises ``Refusal``, or tells what is let through.
    """
    taken = name_taken(project, bundle)
    if taken is not None and not header.skip_validation:
        raise Refusal(Reason.VALIDATION_FAILED, taken.message, findings=[told(taken)], total_findings=1)
    if taken is not None:
        return [taken]
    name = bundle.name or project.display_name
    kind = bundle.kind if bundle.name or bundle.kind not in _PLAIN else project.kind
    if (name, kind) != (project.display_name, project.kind):
        await projects.name_project(transaction, project.name, name, kind)
    return []


def name_taken(project: Project, bundle: BundleContent) -> Finding | None:
    """What is wrong with a bundle's name or kind in a project, None where nothing is.

    A component may become a skill or a pack.
    """
    if bundle.name and project.kind and bundle.name != project.display_name:
        return _finding(
            f"project {project.name!r} is {_what(project.kind)} named {project.display_name!r}, and this one "
            f"is named {bundle.name!r}: names that differ in this way only cannot be told apart, so choose "
            "another"
        )
    if project.kind not in _PLAIN and bundle.kind != project.kind:
        return _finding(
            f"project {project.name!r} is {_what(project.kind)}, and this is {_what(bundle.kind)}: choose "
            "another name for it, or put the manifest that is missing into its root"
        )
    return None


def _what(kind: str) -> str:
    return f"a {kind.lower()}"


def _finding(message: str) -> Finding:
    return Finding("NAME_NOT_UNIQUE", Severity.ERROR, message)
