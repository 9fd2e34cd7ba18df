"""The rule that something in a pack's manifest is a constraint on versions."""

from __future__ import annotations

from longshore_bundles.constraints import check_constraint
from longshore_bundles.documents.fields import Pointer
from longshore_bundles.documents.findings_about import FindingsAbout
from longshore_bundles.errors import InvalidConstraint
from longshore_bundles.findings import printable


def is_constraint(written: str, pointer: Pointer, findings: FindingsAbout) -> bool:
    """Whether a text is one; if not, it is told of as what stands at ``pointer``."""
    try:
        check_constraint(written)
    except InvalidConstraint as error:
        findings.error(error.reason, printable(error.message), pointer)
        return False
    return True
