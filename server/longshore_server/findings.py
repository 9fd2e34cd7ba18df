"""From a bundle's finding to how errors, rows and events tell it."""

from __future__ import annotations

from longshore_bundles import Finding

from .refusal import FindingTold

_MOST_CHARACTERS = 500


def told(finding: Finding) -> FindingTold:
    """Take over a finding, its texts cut to a length that fits into an error."""
    return FindingTold(
        code=finding.code,
        severity=finding.severity.name,
        message=finding.message[:_MOST_CHARACTERS],
        path=finding.path[:_MOST_CHARACTERS],
        line=finding.line,
    )
