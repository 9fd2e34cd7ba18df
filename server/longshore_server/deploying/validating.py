"""An upload that is only validated: what deploying it would come to, told as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longshore_bundles import BundleScan, Finding
from longshore_server.findings import told
from longshore_server.refusal import FindingTold, Refusal
from longshore_storage.catalogue import Transaction, projects
from longshore_storage.payloads import StoredPayload

from .bundle_content import BundleContent, Examined
from .content_check import check_content, content_of
from .dependencies import forsaken, unsatisfied, unseen
from .naming import name_taken
from .recording import Content, find_version
from .requests import Header

_ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Validated:
    """What was sent, what is in it, and the version it would become; empty where it could not be deployed.

    ``findings`` are the first of ``total_findings``, errors first.
    """

    stored: StoredPayload
    scan: BundleScan
    bundle: BundleContent
    version: str
    findings: Sequence[FindingTold]
    total_findings: int

    @property
    def valid(self) -> bool:
        """Whether nothing that was found stops a deployment."""
        return bool(self.version)


async def judge(
    transaction: Transaction, header: Header, stored: StoredPayload, examined: Examined
) -> Validated:
    """What would come of the upload now; what would refuse it is a finding named by its reason."""
    scan = examined.scan
    findings = [told(finding) for finding in scan.findings]
    version, against = "", list[FindingTold]()
    try:
        check_content(scan, header)
        content = content_of(examined, stored, header)
        version, _ = await find_version(transaction, header, content)
        against = [told(finding) for finding in await _beside(transaction, header, content, version)]
    except Refusal as refusal:
        if not refusal.findings:
            against = [FindingTold(refusal.reason.value, _ERROR, refusal.message)]
    return Validated(
        stored,
        scan,
        examined.bundle,
        "" if against else version,
        [*against, *findings],
        scan.total_findings + len(against),
    )


async def _beside(
    transaction: Transaction, header: Header, content: Content, version: str
) -> Sequence[Finding]:
    """What does not go with what is there: the project's name, and what is live in the environment."""
    found: list[Finding] = []
    project = await projects.get_project(transaction, header.project)
    if project is not None and not header.skip_validation:
        taken = name_taken(project, content.bundle)
        found = [taken] if taken is not None else []
    if header.terms.stage_only:
        return found
    place, needs = (header.project, header.environment), content.bundle.needs
    hidden = unseen(header.environment, needs)
    found += hidden
    if not header.terms.skip_dependencies:
        found += [] if hidden else await unsatisfied(transaction, *place, needs)
        found += await forsaken(transaction, *place, version)
    return found
