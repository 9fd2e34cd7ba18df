"""``longshore list`` and ``longshore get``: deployments as they stand."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from longshore_client.cli import completing
from longshore_client.cli.making import labels_of
from longshore_client.cli.moments import MOMENT
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment

_STATUSES: Final = (
    *("pending", "receiving", "validating", "staged", "queued", "rolling_out", "reverting"),
    *("succeeded", "failed", "cancelled", "superseded"),
)
_WIDTH_FOR_WHOLE_IDS: Final = 110


@click.command(
    "list",
    short_help="List deployments, newest first.",
    epilog="""\b
Examples:
  longshore list
  longshore list web -e production --status failed
  longshore list web --limit 200 -o json | jq -r .deployment_id""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@click.option("-e", "--environment", help="Only of this environment.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(_STATUSES),
    help="Only in this state; repeatable.",
)
@click.option("--version", help="Only of this version.")
@click.option("--by", "deployed_by", metavar="WHO", help="Only by this caller.")
@click.option("--since", type=MOMENT, help="Only those from then on: a time, or how long ago (`2h`, `7d`).")
@click.option("--until", type=MOMENT, help="Only those before then.")
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only with this label; repeatable."
)
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most."
)
@client_command
def list_command(
    session: Session,
    project: str | None,
    environment: str | None,
    statuses: tuple[str, ...],
    version: str | None,
    deployed_by: str | None,
    since: datetime | None,
    until: datetime | None,
    labels: tuple[str, ...],
    limit: int,
) -> None:
    """List deployments, newest first; of one PROJECT, or of all.

    Where the terminal is narrow, ids are shortened; other commands take them so.
    """
    from longshore_client.cli.columns import deployment_columns
    from longshore_client.models import DeploymentStatus

    with_labels = labels_of(labels)
    whole_ids = session.width is None or session.width >= _WIDTH_FOR_WHOLE_IDS

    async def work(client: Client) -> None:
        deployments = client.list(
            project=project,
            environment=environment,
            statuses=[DeploymentStatus(status) for status in statuses],
            version=version,
            deployed_by=deployed_by,
            since=since,
            until=until,
            labels=with_labels,
            limit=limit,
        )
        async with aclosing(deployments):
            await session.print_rows(
                deployments, deployment_columns(whole_ids=whole_ids), nothing="no deployments"
            )

    session.run(work)


@click.command(
    "get",
    short_help="Show one deployment and its nodes.",
    epilog="""\b
Examples:
  longshore get 5f0c31aa
  longshore get 5f0c31aa-… -o json | jq .status""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@client_command
def get_command(session: Session, deployment_id: str) -> None:
    """Show one deployment and what each of its nodes did.

    DEPLOYMENT is an id, or the first characters of a recent one.
    """
    from longshore_client.cli.columns import ACTIVATION_COLUMNS
    from longshore_client.cli.facts import deployment_facts
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.printing import plain, print_object
    from longshore_client.cli.tables import draw

    async def work(client: Client) -> None:
        deployment = await client.get(await whole_id(client, deployment_id))
        async with aclosing(client.activations(deployment.deployment_id)) as listed:
            activations = [activation async for activation in listed]
        if not session.for_people:
            print_object({**plain(deployment), "activations": activations}, session.output)
            return
        session.print_facts(deployment_facts(deployment))
        _print_error(deployment)
        if activations:
            click.echo()
            for line in draw(ACTIVATION_COLUMNS, activations, width=session.width):
                click.echo(line)

    session.run(work)


def _print_error(deployment: Deployment) -> None:
    from longshore_client.cli.failing import finding_lines

    if deployment.error is not None:
        for line in finding_lines(deployment.error.findings, deployment.error.total_findings):
            click.echo(line)
