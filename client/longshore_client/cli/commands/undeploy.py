"""``longshore undeploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.failing import INTERRUPTED
from longshore_client.cli.making import (
    confirmed,
    following_options,
    make_and_follow,
    queue_option,
    terms_of,
    terms_options,
)
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "undeploy",
    short_help="Take a project off an environment's nodes.",
    epilog="""\b
Examples:
  longshore undeploy web -e staging
  longshore undeploy web --yes
  longshore rollback web     # brings back what was removed""",
)
@click.argument("project", shell_complete=completing.projects)
@click.option("-e", "--environment", default="default", show_default=True, help="Where to take it off.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@queue_option
@terms_options
@following_options
@client_command
def undeploy_command(
    session: Session,
    project: str,
    environment: str,
    yes: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    detach: bool,
    timeout: float | None,
) -> None:
    """Take PROJECT off all nodes of an environment. Its history stays, and a rollback brings it back."""
    from longshore_client.cli.wording import safe

    terms = terms_of(expect_live, labels, queue=queue)
    if not confirmed(f"Take {safe(project)} off the nodes of {safe(environment)}?", yes=yes):
        click.echo("nothing was taken off", err=True)
        click.get_current_context().exit(INTERRUPTED)

    async def make(client: Client, deployment_id: str) -> Deployment | None:
        return await client.undeploy(
            project, environment=environment, terms=terms, deployment_id=deployment_id
        )

    make_and_follow(
        session,
        make,
        what="undeploy",
        nothing=f"nothing to do: nothing of {project} is live in {environment}",
        detach=detach,
        timeout_s=timeout,
    )
