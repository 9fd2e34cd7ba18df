"""``longshore validate``: needs no server."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.cli.options import FORMATS, OutputFormat
from longshore_client.cli.paths import ExistingPath
from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command

if TYPE_CHECKING:
    from longshore_client.cli.checked import CheckedPayload

_ANNOTATIONS: Final = ("github",)


@click.command(
    "validate",
    short_help="Check a skill, a pack or any payload, without a server.",
    epilog="""\b
Examples:
  longshore validate .
  longshore validate ./netops --strict
  longshore validate netops-1.4.0.tar.gz -o json | jq -r '.findings[].message'
  longshore validate . --strict --annotations github     # in a pipeline
  longshore validate . -o sarif > findings.sarif""",
)
@click.argument("path", type=ExistingPath())
@click.option("--strict", is_flag=True, help="End with 4 for warnings, too.")
@click.option(
    "--annotations",
    type=click.Choice(_ANNOTATIONS),
    help="Tell findings so that a CI shows them beside the code; beside -o on standard error.",
)
@functools.partial(local_command, formats=(*FORMATS, OutputFormat.SARIF))
def validate_command(printer: Printer, path: str, strict: bool, annotations: str | None) -> None:
    """Hold PATH, a directory, an archive or a file, against the rules for deployments.

    They are those of a server; what only a server knows is left out: names that are taken, what must be live
    beside it. `longshore deploy --validate-only` asks one. It ends with 4 when errors are found. --quiet
    prints codes.
    """
    from longshore_client.cli.annotations import github_lines
    from longshore_client.cli.checked import check_payload
    from longshore_client.cli.exit_codes import REFUSED
    from longshore_client.cli.finding_output import print_findings
    from longshore_client.cli.finding_places import FindingPlaces
    from longshore_client.cli.wording import safe

    checked, places = check_payload(Path(path)), FindingPlaces(Path(path))
    if annotations:
        _echo(github_lines(checked.findings, places), err=not printer.for_people)
    if printer.output is OutputFormat.SARIF:
        from longshore_client.cli.sarif import sarif_log

        printer.print_object(sarif_log(checked, places))
    elif printer.for_programs:
        printer.print_object(checked)
    elif printer.quiet:
        _echo(safe(finding.code) for finding in checked.findings)
    else:
        if not annotations:
            print_findings(checked.findings, checked.total_findings, width=printer.width)
        click.echo(_summary(checked))
    if not checked.valid or (strict and checked.has_warnings):
        click.get_current_context().exit(REFUSED)


def _echo(lines: Iterable[str], *, err: bool = False) -> None:
    for line in lines:
        click.echo(line, err=err)


def _summary(checked: CheckedPayload) -> str:
    """What it is and whether it is valid, in one sentence."""
    from longshore_client.cli.bundle_words import kind_words
    from longshore_client.cli.wording import count, entries, safe, size

    told = _numbers(checked)
    if checked.bundle is None:
        return f"{safe(checked.path)} cannot be unpacked safely{told}"
    named = f" {checked.project} {checked.version}".rstrip()
    holds = [entries(checked.entries), size(checked.unpacked_size_bytes)]
    if checked.workflow_count:
        holds.append(count(checked.workflow_count, "workflow"))
    verdict = "is valid" if checked.valid else "is not valid"
    what = f"the {kind_words(checked.bundle.kind)}{safe(named) and f' {safe(named)}'}"
    return f"{what} ({', '.join(holds)}) {verdict}{told}"


def _numbers(checked: CheckedPayload) -> str:
    """How many errors and warnings there are; those that were only counted have no severity any more."""
    from longshore_client.cli.wording import count
    from longshore_client.models import Severity

    found = [finding.severity for finding in checked.findings]
    severities = (Severity.ERROR, Severity.WARNING)
    numbers = [count(found.count(severity), severity.value) for severity in severities if severity in found]
    if not numbers:
        return ""
    told = f": {', '.join(numbers)}"
    if checked.total_findings > len(found):
        # Errors come first: what is only counted is what the last of them are, or less bad.
        told += f" and more: {count(checked.total_findings, 'finding')} in all"
    return told
