"""``longshore watch``."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "watch",
    short_help="Follow a deployment to its end.",
    epilog="""\b
Examples:
  longshore watch 5f0c31aa
  longshore watch 5f0c31aa-… -o json | jq -r 'select(.type == "event") | .message'""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@click.option("--after", type=click.IntRange(0), default=0, help="Begin behind this event's number.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 300),
    default=0,
    metavar="SECONDS",
    help="How long to wait for an id that has not begun.",
)
@client_command
def watch_command(session: Session, deployment_id: str, after: int, wait_s: float) -> None:
    """Follow DEPLOYMENT, from its first event to its last, at whichever node answers.

    Ends with the deployment, successfully only when it did. As JSON each line is an object with `type`
    `event` (numbered) or `snapshot` (how things stand, at most once a second).
    """
    from longshore_client.cli.display import display
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import failure, print_outcome
    from longshore_client.cli.printing import plain_update, print_object
    from longshore_client.models import DeploymentStatus

    async def work(client: Client) -> Deployment:
        whole = await whole_id(client, deployment_id)
        with display(sys.stdout if session.for_people else sys.stderr) as shown:
            updates = client.follow(whole, after=after, wait_for_creation_s=wait_s, on_break=shown.broken)
            async with aclosing(updates):
                async for update in updates:
                    if session.for_people:
                        shown.update(update)
                    else:
                        print_object(plain_update(update), session.output)
                        sys.stdout.flush()
        return await client.get(whole)

    deployment = session.run(work)
    if session.for_people:
        print_outcome(session, deployment)
    elif deployment.status is not DeploymentStatus.SUCCEEDED:
        raise failure(deployment)
