"""Errors as people read them, and the exit codes that scripts read.

One table gives every error of the library its exit code, and where the command line can help, what to do.
Looked up along the class's ancestors, so that it is total.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from longshore_client import errors

from .wording import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from longshore_client.models import Finding

DEPLOYMENT_FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
REFUSED: Final = 4
CONFLICT: Final = 5
UNAVAILABLE: Final = 6
NOT_PERMITTED: Final = 7
SERVER_FAULT: Final = 8
INTERRUPTED: Final = 130
READER_GONE: Final = 141

EXIT_CODES_HELP: Final = """\b
Exit codes:
  0    done; a deployment is live
  1    the deployment ended without success
  2    wrong usage
  3    what was named does not exist
  4    refused: the request, the payload or the state of things forbids it
  5    conflict: it exists with other content, or somebody else was faster
  6    the server or a service behind it is not available: try again
  7    not permitted
  8    a fault of the server's own, or damaged data
  130  interrupted (Ctrl-C)
  141  whoever read the output went away"""

_EXIT_CODES: Final[dict[type[BaseException], int]] = {
    errors.LongshoreError: SERVER_FAULT,
    errors.DeploymentFailed: DEPLOYMENT_FAILED,
    errors.InvalidRequest: REFUSED,
    errors.NotFound: NOT_FOUND,
    errors.AlreadyExists: CONFLICT,
    errors.PreconditionFailed: REFUSED,
    errors.Conflict: CONFLICT,
    errors.OutOfRange: REFUSED,
    errors.LimitExceeded: REFUSED,
    errors.Unauthenticated: NOT_PERMITTED,
    errors.PermissionDenied: NOT_PERMITTED,
    errors.Unavailable: UNAVAILABLE,
    errors.TimedOut: UNAVAILABLE,
    errors.StoredDataCorrupt: SERVER_FAULT,
    errors.ServerFault: SERVER_FAULT,
    errors.LocalError: REFUSED,
    errors.ProjectUnknown: USAGE,
    errors.DownloadDamaged: SERVER_FAULT,
}

_ADVICE: Final[dict[type[BaseException], str]] = {
    errors.DeploymentFailed: "`longshore get DEPLOYMENT` shows what each node did",
    errors.VersionExists: "releases never change: choose another --version, or leave it to --bump",
    errors.VersionConflict: "give the manifest's version, or change the manifest",
    errors.DeploymentIdReused: "leave --deployment-id out, or give a new one",
    errors.DeploymentNotFound: "`longshore list` shows the deployments there are",
    errors.ProjectNotFound: "`longshore projects` shows the projects there are",
    errors.ReleaseNotFound: "`longshore releases PROJECT` shows the releases there are",
    errors.EnvironmentNotFound: "`longshore nodes` shows the environments that nodes are in",
    errors.NoPreviousRelease: "`longshore releases PROJECT` shows what there is; name one with --to",
    errors.PayloadReclaimed: "deploy the content again, or choose another release",
    errors.PayloadInUse: "deploy something else first, or unpin it; --force gives up only a way back",
    errors.LiveChanged: "`longshore list PROJECT` shows what changed; decide again with what is live now",
    errors.QueueBusy: "wait for its end, or let it --queue wait or --queue supersede",
    errors.GateMismatch: "`longshore get DEPLOYMENT` shows how it stands now",
    errors.Frozen: "`longshore unfreeze PROJECT -e ENVIRONMENT` lifts it; with --stage it is only recorded",
    errors.SettingsChanged: "look at them with `longshore projects PROJECT`, and decide again",
    errors.StatusConflict: "`longshore get DEPLOYMENT` shows how it stands now",
    errors.UploadInProgress: "wait for the other upload of this id, or deploy without --deployment-id",
    errors.UploadTakenOver: "another run of this deployment goes on: follow it with `longshore watch`",
    errors.ProgressCompacted: "follow from the beginning: leave --after out",
    errors.ProjectUnknown: "name it with --project",
    errors.PayloadChanged: "deploy again when nothing writes to it any more",
    errors.DestinationUnusable: "choose another destination; --force replaces a file that exists",
    errors.Unavailable: (
        "is a server running there? `longshore serve` starts one here; --server or LONGSHORE_SERVER names "
        "another"
    ),
    errors.DependencyUnavailable: "try again in a moment; the server's log tells more",
    errors.Draining: "try again in a moment, or name more servers with --server",
    errors.ServerBusy: "try again in a moment, or name more servers with --server",
    errors.RoleMissing: "name a node that takes uploads with --server, or several: one that does is found",
    errors.ServerFault: "look for the request id in the server's log",
    errors.StoredDataCorrupt: "the server's log tells more under the request id",
}


def exit_code_of(error: errors.LongshoreError) -> int:
    """The exit code for an error."""
    return next(_EXIT_CODES[kind] for kind in type(error).__mro__ if kind in _EXIT_CODES)


def print_error(error: errors.LongshoreError) -> None:
    """Say on standard error what happened, why, what to do, and under which request id to look."""
    problem(error.message)
    told = [f"{violation.field}: {violation.description}" for violation in error.field_violations]
    for line in told if not error.findings else ():
        if safe(line) not in safe(error.message):
            click.echo(f"  {safe(line)}", err=True)
    for line in finding_lines(error.findings, error.total_findings):
        click.echo(line, err=True)
    advice = next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), None)
    if advice is not None:
        click.echo(f"  what to do: {advice}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"  {safe(note)}", err=True)
    if error.request_id and error.reason:
        click.echo(f"  request id: {safe(error.request_id)}", err=True)


def problem(message: str) -> None:
    """Print the line that every failure begins with."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {safe(message)}", err=True)


def finding_lines(findings: Sequence[Finding], total: int) -> list[str]:
    """What is wrong with a payload's content, one line each."""
    lines = []
    for finding in findings:
        place = safe(finding.path) + (f":{finding.line}" if finding.line else "")
        severity = "" if finding.severity == "unknown" else f"{finding.severity} "
        lines.append(
            f"  {severity}{safe(finding.code)}{f' {place}' if place else ''}: {safe(finding.message)}"
        )
    if total > len(findings):
        lines.append(f"  … and {total - len(findings)} more")
    return lines
