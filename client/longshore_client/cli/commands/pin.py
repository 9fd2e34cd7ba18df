"""``longshore pin`` and ``longshore unpin``."""

from __future__ import annotations

import click

from longshore_client.cli import completing
from longshore_client.cli.session import Session, client_command


@click.command(
    "pin",
    short_help="Keep a release's payload whatever retention says.",
    epilog="""\b
Examples:
  longshore pin web 1.4.2 --reason "what the auditors saw"
  longshore unpin web@1.4.2""",
)
@click.argument("project", shell_complete=completing.projects)
@click.argument("version", required=False, shell_complete=completing.versions)
@click.option("--reason", required=True, metavar="TEXT", help="Why; whoever wants it gone reads it.")
@client_command
def pin_command(session: Session, project: str, version: str | None, reason: str) -> None:
    """Keep the payload of PROJECT's release VERSION until `longshore unpin`; PROJECT@VERSION names it too."""
    if not reason.strip():
        raise click.UsageError("--reason must say something")
    _pin(session, project, version, reason)


@click.command(
    "unpin",
    short_help="Let retention decide about a release's payload again.",
    epilog="""\b
Examples:
  longshore unpin web 1.4.2""",
)
@click.argument("project", shell_complete=completing.projects)
@click.argument("version", required=False, shell_complete=completing.versions)
@client_command
def unpin_command(session: Session, project: str, version: str | None) -> None:
    """Let retention decide about the payload of PROJECT's release VERSION again."""
    _pin(session, project, version, "")


def _pin(session: Session, project: str, version: str | None, reason: str) -> None:
    from longshore_client.cli.wording import safe

    name, number = session.release(project, version)
    release = session.run(lambda client: client.pin(name, number, reason))
    pinned = f"pinned by {release.pinned_by}: {release.pin_reason}" if release.pin_reason else "not pinned"
    session.printer.result(release, sentence=safe(f"{release.project} {release.version} is {pinned}"))
