"""``longshore cancel``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.failing import INTERRUPTED
from longshore_client.cli.making import confirmed, following_options
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "cancel",
    short_help="Cancel a deployment that has not ended.",
    epilog="""\b
Examples:
  longshore cancel 5f0c31aa
  longshore cancel 5f0c31aa --yes --reason "wrong branch\"""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@following_options
@client_command
def cancel_command(
    session: Session, deployment_id: str, reason: str, yes: bool, detach: bool, timeout: float | None
) -> None:
    """Cancel DEPLOYMENT. Nodes that it has reached go back to what is live; an upload of it is dropped."""
    from longshore_client.cli.display import display
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import follow_to_end, how_to_follow, outcome_of_cancelling
    from longshore_client.cli.wording import safe, words

    async def look(client: Client) -> Deployment:
        return await client.get(await whole_id(client, deployment_id))

    found = session.run(look)
    name = safe(f"{found.project} {found.version}".strip())
    question = f"{name} in {safe(found.environment)} is {words(found.status)}: cancel it?"
    if not found.status.terminal and not confirmed(question, yes=yes):
        click.echo("nothing was cancelled", err=True)
        click.get_current_context().exit(INTERRUPTED)

    async def work(client: Client) -> Deployment:
        with display(sys.stderr) as shown:
            cancelled = await client.cancel(found.deployment_id, reason=reason)
            if detach or cancelled.status.terminal:
                return cancelled
            return await follow_to_end(client, cancelled.deployment_id, shown, timeout_s=timeout)

    try:
        cancelled = session.run(work)
    except KeyboardInterrupt:
        click.echo(f"interrupted: it is being cancelled; {how_to_follow(found.deployment_id)}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    outcome_of_cancelling(session, cancelled)
