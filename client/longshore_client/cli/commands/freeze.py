"""``longshore freeze`` and ``longshore unfreeze``."""

from __future__ import annotations

import click

from longshore_client.cli import completing
from longshore_client.cli.session import Session, client_command


@click.command(
    "freeze",
    short_help="Let nothing of a project go live in an environment.",
    epilog="""\b
Examples:
  longshore freeze web -e production --reason "sales weekend"
  longshore unfreeze web -e production""",
)
@click.argument("project", shell_complete=completing.projects)
@click.option("-e", "--environment", default="default", show_default=True, help="Where.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; whoever is refused reads it.")
@client_command
def freeze_command(session: Session, project: str, environment: str, reason: str) -> None:
    """Let nothing of PROJECT go live in an environment until `longshore unfreeze`.

    New deployments are refused, those that are queued wait. A rollback is always possible.
    """
    if not reason.strip():
        raise click.UsageError("--reason must say something")
    _set(session, project, environment, reason)


@click.command(
    "unfreeze",
    short_help="Let a project go live in an environment again.",
    epilog="""\b
Examples:
  longshore unfreeze web -e production""",
)
@click.argument("project", shell_complete=completing.projects)
@click.option("-e", "--environment", default="default", show_default=True, help="Where.")
@client_command
def unfreeze_command(session: Session, project: str, environment: str) -> None:
    """Lift the freeze of PROJECT in an environment; what waits for it goes on."""
    _set(session, project, environment, "")


def _set(session: Session, project: str, environment: str, reason: str) -> None:
    from longshore_client.cli.printing import print_object
    from longshore_client.cli.wording import safe

    changed = session.run(lambda client: client.freeze(project, reason, environment=environment))
    if not session.for_people:
        print_object(changed, session.output)
    elif changed.freeze_reason:
        click.echo(
            f"{safe(changed.project)} in {safe(changed.environment)} is frozen by {safe(changed.frozen_by)}: "
            f"{safe(changed.freeze_reason)}"
        )
    else:
        click.echo(f"{safe(changed.project)} in {safe(changed.environment)} is not frozen")
