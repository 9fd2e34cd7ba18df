"""``longshore watch``."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import interrupted
from longshore_client.cli.numbers import LARGEST_SIZE, Count, Seconds
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.cli.outcome import PartlyLive
    from longshore_client.client import Client
    from longshore_client.errors import DeploymentFailed
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
@click.option("--after", type=Count(0, LARGEST_SIZE), default=0, help="Begin behind this event's number.")
@click.option(
    "--wait-for-creation",
    "wait_s",
    type=Seconds(300),
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
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import failure, how_to_follow, partly_live, standing_words
    from longshore_client.cli.printing import plain_update

    printer = session.printer

    async def work(client: Client) -> tuple[Deployment, DeploymentFailed | None, PartlyLive | None]:
        whole = await whole_id(client, deployment_id)
        with session.display(sys.stderr if printer.for_programs else sys.stdout) as shown:
            updates = client.follow(whole, after=after, wait_for_creation_s=wait_s, on_break=shown.broken)
            async with aclosing(updates):
                async for update in updates:
                    if printer.for_programs:
                        printer.print_object(plain_update(update))
                        sys.stdout.flush()
                    else:
                        shown.update(update)
        ended = await client.get(whole)
        return ended, await failure(client, ended), await partly_live(client, ended)

    try:
        deployment, error, warning = session.run(work)
    except KeyboardInterrupt:
        interrupted(f"the deployment goes on; {how_to_follow(deployment_id)}")
    if error is not None:
        raise error
    if printer.for_people:
        click.echo(standing_words(deployment))
    elif printer.quiet:
        click.echo(deployment.status)
    if warning is not None:
        warning.end_command()
