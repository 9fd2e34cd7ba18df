"""An upload that is only validated: what deploying it would come to, told as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longshore_bundles import BundleScan
from longshore_server.findings import told
from longshore_server.refusal import FindingTold, Reason, Refusal
from longshore_storage.catalogue import Transaction
from longshore_storage.payloads import StoredPayload

from .content_check import check_content, content_of
from .recording import find_version
from .requests import Header

_ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Validated:
    """What was sent, what is in it, and the version it would become; empty where it could not be deployed.

    ``findings`` are the first of ``total_findings``, errors first.
    """

    stored: StoredPayload
    scan: BundleScan
    version: str
    findings: Sequence[FindingTold]
    total_findings: int

    @property
    def valid(self) -> bool:
        """Whether nothing that was found stops a deployment."""
        return all(finding.severity != _ERROR for finding in self.findings)


async def judge(
    transaction: Transaction, header: Header, stored: StoredPayload, scan: BundleScan
) -> Validated:
    """What would come of the upload now; what would refuse it is a finding named by its reason."""
    findings = [told(finding) for finding in scan.findings]
    try:
        check_content(scan, header)
        version, _ = await find_version(transaction, header, content_of(scan, stored, header))
    except Refusal as refusal:
        if refusal.reason is Reason.ARCHIVE_INVALID:
            return Validated(stored, scan, "", findings, scan.total_findings)
        against = FindingTold(refusal.reason.value, _ERROR, refusal.message)
        return Validated(stored, scan, "", [against, *findings], scan.total_findings + 1)
    return Validated(stored, scan, version, findings, scan.total_findings)
