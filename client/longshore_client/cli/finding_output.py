"""Findings as the result of a command, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from longshore_client.models import Finding, Severity

from .failing import finding_lines
from .wording import wrapped

_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_INDENTATION: Final = "  "


def print_findings(findings: Sequence[Finding], total: int, *, width: int | None) -> None:
    """Print them, the first of ``total``, each on a line, or on several that fit into ``width``."""
    severities: list[Severity | None] = [finding.severity for finding in findings]
    for line, severity in zip(finding_lines(findings, total), [*severities, None], strict=False):
        first, *rest = wrapped(line, width - len(_INDENTATION)) if width else [line]
        if severity in _COLORS:
            first = first.replace(severity, click.style(severity, fg=_COLORS[severity]), 1)
        for each in (first, *(f"{_INDENTATION}{more}" for more in rest)):
            click.echo(each)
