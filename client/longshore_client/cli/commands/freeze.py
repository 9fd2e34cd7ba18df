"""``longshore freeze`` and ``longshore unfreeze``."""

from __future__ import annotations

import click

from longshore_client.cli import completing
from longshore_client.cli.options import environment_option
from longshore_client.cli.session import Session, client_command


@click.command(
    "freeze",
    short_help="Let nothing of a project go live in an environment.",
    epilog="""\b
Examples:
  longshore freeze web -e production --reason "sales weekend"
  longshore unfreeze web -e production""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; whoever is refused reads it.")
@client_command
def freeze_command(session: Session, project: str | None, environment: str | None, reason: str) -> None:
    """Let nothing of PROJECT go live in an environment until `longshore unfreeze`.

    New deployments are refused, those that are queued wait. A rollback is always possible. Without PROJECT
    the context's is meant.
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
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where.")
@client_command
def unfreeze_command(session: Session, project: str | None, environment: str | None) -> None:
    """Lift the freeze of PROJECT in an environment; what waits for it goes on."""
    _set(session, project, environment, "")


def _set(session: Session, project: str | None, environment: str | None, reason: str) -> None:
    from longshore_client.cli.wording import safe

    name, where = session.project(project), session.environment(environment)
    changed = session.run(lambda client: client.freeze(name, reason, environment=where))
    what = f"{safe(changed.project)} in {safe(changed.environment)}"
    frozen = f"is frozen by {safe(changed.frozen_by)}: {safe(changed.freeze_reason)}"
    session.printer.result(changed, sentence=f"{what} {frozen if changed.freeze_reason else 'is not frozen'}")
