"""Errors as people read them, and the exit codes they end with.

One table gives every error of the library its exit code, and where the command line can help, what to do.
Looked up along the class's ancestors, so that it is total.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

import click

from longshore_client import errors, source_errors

from .exit_codes import (
    CONFLICT,
    DEPLOYMENT_FAILED,
    NOT_FOUND,
    NOT_PERMITTED,
    REFUSED,
    SERVER_FAULT,
    UNAVAILABLE,
    USAGE,
)
from .field_words import told_in_words
from .options import COMMAND
from .wording import safe, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from longshore_client.models import Finding

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
    errors.CredentialsUnusable: USAGE,
    errors.DownloadDamaged: SERVER_FAULT,
    errors.IndexChanged: CONFLICT,
    source_errors.SourceInvalid: USAGE,
    source_errors.SourceNotFound: NOT_FOUND,
    source_errors.SourceUnavailable: UNAVAILABLE,
    source_errors.SourceDamaged: SERVER_FAULT,
}

_ADVICE: Final[dict[type[BaseException], str]] = {
    errors.VersionExists: "releases never change: choose another --version, or leave it to --bump",
    errors.VersionConflict: "give the manifest's version, or change the manifest",
    errors.DeploymentIdReused: "leave --deployment-id out, or give a new one",
    errors.DeploymentNotFound: "`longshore list` shows the deployments there are",
    errors.ProjectNotFound: "`longshore projects` shows the projects there are",
    errors.ReleaseNotFound: "`longshore releases PROJECT` shows the releases there are",
    errors.EnvironmentNotFound: "`longshore nodes` shows the environments that nodes are in",
    errors.WorkflowNotFound: "`longshore workflows list --all` shows the workflows there are",
    errors.NodeNotFound: "`longshore nodes` shows the nodes there are",
    errors.NoPreviousRelease: "`longshore releases PROJECT` shows what there is; name one with --to",
    errors.PayloadReclaimed: "deploy the content again, or choose another release",
    errors.PayloadInUse: "deploy something else first, or unpin it",
    errors.LiveChanged: "`longshore list PROJECT` shows what changed; decide again with what is live now",
    errors.QueueBusy: "wait for its end, or let it --queue wait or --queue supersede",
    errors.DependencyUnsatisfied: "deploy first what it needs",
    errors.DependenciesClash: "let one of them need something else, in a new version, or ask for another one",
    errors.DependantLive: "change first what needs it",
    errors.GateMismatch: "`longshore get DEPLOYMENT` shows how it stands now",
    errors.Frozen: "`longshore unfreeze PROJECT -e ENVIRONMENT` lifts it",
    errors.SettingsChanged: "look at them with `longshore projects PROJECT`, and decide again",
    errors.StatusConflict: "`longshore get DEPLOYMENT` shows how it stands now",
    errors.UploadInProgress: "wait for the other upload of this id, or deploy without --deployment-id",
    errors.UploadTakenOver: "another run of this deployment goes on: follow it with `longshore watch`",
    errors.ProgressCompacted: "follow from the beginning: leave --after out",
    errors.ProjectUnknown: "name it with --project",
    errors.PayloadChanged: "deploy again when nothing writes to it any more",
    errors.DestinationUnusable: "choose another destination",
    errors.IndexChanged: "try again when nobody else writes to it",
    errors.Unavailable: (
        "is a server running there? `longshore serve` starts one here; --server or LONGSHORE_SERVER names "
        "another"
    ),
    errors.ConnectionEnded: (
        "where it wants a certificate of its clients, show one that it takes with --cert and --key; else "
        "nobody may be behind it just now: try again in a moment"
    ),
    errors.DependencyUnavailable: "try again in a moment; the server's log tells more",
    errors.Draining: "try again in a moment, or name more servers with --server",
    errors.ServerBusy: "try again in a moment, or name more servers with --server",
    errors.RoleMissing: "name a node that takes uploads with --server, or several: one that does is found",
    errors.QuotaExceeded: (
        "make room, or ask whoever administers the server for more; `longshore delete-payload` drops what a "
        "release has stored"
    ),
    errors.ServerFault: "look for the request id in the server's log",
    errors.Unauthenticated: "give a valid token: LONGSHORE_TOKEN, or `longshore login`",
    errors.SecondPersonRequired: "have somebody else look at it, and promote it",
    errors.StoredDataCorrupt: "the server's log tells more under the request id",
}


_ADVICE_BY_OPTION: Final[dict[type[BaseException], tuple[str, str]]] = {
    errors.DependencyUnsatisfied: ("--skip-dependencies", "deploys it all the same"),
    errors.DependantLive: ("--skip-dependencies", "does it all the same"),
    errors.Frozen: ("--stage", "only records it"),
    errors.DestinationUnusable: ("--force", "replaces a file that exists"),
    errors.PayloadInUse: ("--force", "gives up only a way back"),
}
"""What an option does about it, where the command has that."""


def exit_code_of(error: errors.LongshoreError) -> int:
    """The exit code for an error."""
    return next(_EXIT_CODES[kind] for kind in type(error).__mro__ if kind in _EXIT_CODES)


def print_error(error: errors.LongshoreError) -> None:
    """Say on standard error what happened, why, what to do, and under which request id to look."""
    message, told = told_in_words(error)
    problem(message)
    for line in told:
        _tell(safe(line))
    for line in finding_lines(error.findings, error.total_findings):
        _tell(line)
    if advice := _advice(error):
        _tell(f"what to do: {advice}")
    for note in getattr(error, "__notes__", ()):
        _tell(safe(note))
    if error.request_id and error.reason:
        _tell(f"request id: {safe(error.request_id)}")


def _advice(error: errors.LongshoreError) -> str:
    kind = next((kind for kind in type(error).__mro__ if kind in _ADVICE), None)
    if kind is None:
        return ""
    context = click.get_current_context(silent=True)
    command = context.meta.get(COMMAND) if context else None
    option, does = _ADVICE_BY_OPTION.get(kind, ("", ""))
    has_option = any(option in each.opts for each in command.params) if command else False
    return f"{_ADVICE[kind]}; {option} {does}" if has_option else _ADVICE[kind]


def problem(message: str) -> None:
    """Print the line that every failure begins with."""
    _head("error:", message, color="red")


def warn(message: str, notes: Sequence[str]) -> None:
    """Say on standard error what is not as it should be, though what was asked is done."""
    _head("warning:", message, color="yellow")
    for note in notes:
        _tell(safe(note))


def remark(text: str) -> None:
    """Say on standard error what belongs to a result, and is no part of it."""
    for line in _fitting(safe(text)):
        click.echo(line, err=True)


def _head(label: str, message: str, *, color: str) -> None:
    head, *rest = _fitting(f"{label} {safe(message)}")
    click.echo(head.replace(label, click.style(label, fg=color, bold=True), 1), err=True)
    for line in rest:
        click.echo(f"  {line}", err=True)


def _tell(text: str) -> None:
    for index, line in enumerate(_fitting(text)):
        click.echo(f"{'  ' if index == 0 else '    '}{line}", err=True)


def _fitting(text: str) -> list[str]:
    """Text in lines that leave room for an indentation on a terminal, in one line elsewhere."""
    if not sys.stderr.isatty():
        return [text]
    return wrapped(text, max(shutil.get_terminal_size().columns - 4, 20))


def finding_lines(findings: Sequence[Finding], total: int) -> list[str]:
    """What is wrong with a payload's content, one line each."""
    lines = []
    for finding in findings:
        place = safe(finding.path) + (f":{finding.line}" if finding.line else "")
        severity = "" if finding.severity == "unknown" else f"{finding.severity} "
        lines.append(f"{severity}{safe(finding.code)}{f' {place}' if place else ''}: {safe(finding.message)}")
    if total > len(findings):
        lines.append(f"… and {total - len(findings):,} more")
    return lines
