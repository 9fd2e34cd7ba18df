"""``longshore rollback``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from longshore_client.cli.failing import INTERRUPTED
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "rollback",
    short_help="Go back to the previous release, or to a given one.",
    epilog="""\b
Examples:
  longshore rollback web
  longshore rollback web -e production --to 1.4.2""",
)
@click.argument("project")
@click.option("-e", "--environment", default="default", show_default=True, help="Where to go back.")
@click.option("--to", "version", metavar="VERSION", help="To this release.  [default: the previous one]")
@click.option(
    "--to-deployment",
    metavar="DEPLOYMENT",
    help="To what this deployment brought; its id or first characters.",
)
@click.option("-d", "--detach", is_flag=True, help="Return when it is recorded; do not follow it.")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="How long to follow at most.")
@client_command
def rollback_command(
    session: Session,
    project: str,
    environment: str,
    version: str | None,
    to_deployment: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Take PROJECT back to the release that was live before, or to a given one. No bytes are sent.

    While a rollout is unfinished, it ends that rollout and goes back to what is live.
    """
    from longshore_client.cli.display import display
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import follow_to_end, how_to_follow, print_outcome
    from longshore_client.cli.printing import print_object
    from longshore_client.client import new_deployment_id

    if version and to_deployment:
        raise click.UsageError("--to and --to-deployment exclude each other")
    deployment_id = new_deployment_id()

    async def work(client: Client) -> Deployment | None:
        target = await whole_id(client, to_deployment) if to_deployment else None
        with display(sys.stderr) as shown:
            deployment = await client.rollback(
                project,
                environment=environment,
                version=version,
                target_deployment_id=target,
                deployment_id=deployment_id,
            )
            if deployment is None:
                return None
            shown.accepted(deployment_id)
            if detach:
                return deployment
            return await follow_to_end(client, deployment.deployment_id, shown, timeout_s=timeout)

    try:
        deployment = session.run(work)
    except KeyboardInterrupt:
        click.echo(f"interrupted: the rollback goes on; {how_to_follow(deployment_id)}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    if deployment is not None:
        print_outcome(session, deployment)
    elif session.for_people:
        click.echo(f"nothing to do: {project} in {environment} is there already")
    else:
        print_object({"nothing_to_do": True}, session.output)
