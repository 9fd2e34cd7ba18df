"""``longshore list`` and ``longshore get``: deployments as they stand."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from longshore_client.cli import completing
from longshore_client.cli.making import labels_of
from longshore_client.cli.moments import MOMENT
from longshore_client.cli.options import Limit, environment_filter, limit_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from longshore_client.catalog_models import Release
    from longshore_client.client import Client
    from longshore_client.models import Deployment, DeploymentStatus

_STATUSES: Final = (
    *("pending", "receiving", "validating", "staged", "queued", "rolling_out", "paused", "reverting"),
    *("succeeded", "partial", "failed", "cancelled", "superseded"),
)


@click.command(
    "list",
    short_help="List deployments, newest first.",
    epilog="""\b
Examples:
  longshore list
  longshore list web -e production --status failed
  longshore list --watch
  longshore list web --limit 200 -o json | jq -r .deployment_id""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_filter
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(_STATUSES),
    metavar="STATUS",
    help=f"Only in this state; repeatable: {', '.join(_STATUSES)}.",
)
@click.option("--version", help="Only of this version.")
@click.option("--by", "deployed_by", metavar="WHO", help="Only by this caller.")
@click.option("--since", type=MOMENT, help="Only those from then on: a time, or how long ago (`2h`, `7d`).")
@click.option("--until", type=MOMENT, help="Only those before then.")
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only with this label; repeatable."
)
@limit_option
@click.option("-w", "--watch", is_flag=True, help="Show them as they change, until Ctrl-C.")
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
    limit: Limit,
    watch: bool,
) -> None:
    """List deployments, newest first; of one PROJECT, or of all.

    Where the terminal is narrow, ids are shortened; other commands take them so.
    """
    from longshore_client.cli.columns import deployment_columns
    from longshore_client.cli.first_rows import first_rows
    from longshore_client.models import DeploymentStatus

    only: dict[str, Any] = {
        "project": project,
        "environment": environment,
        "version": version,
        "deployed_by": deployed_by,
        "labels": labels_of(labels),
    }
    in_status = [DeploymentStatus(status) for status in statuses]
    if watch:
        if since or until:
            raise click.UsageError("--watch begins with the newest: leave --since and --until out")
        newest = limit.rows
        if newest is None:
            raise click.UsageError("--watch shows the newest: --limit has to be a number")
        session.run(lambda client: _watch(client, session, only, in_status, newest))
        return

    async def work(client: Client) -> None:
        def read(most: int | None) -> AsyncGenerator[Deployment, None]:
            return client.list(**only, statuses=in_status, since=since, until=until, limit=most)

        async with first_rows(read, limit, session.printer) as deployments:
            await session.printer.rows(
                deployments,
                deployment_columns(session.printer.width),
                name=lambda deployment: deployment.deployment_id,
                nothing="no deployments",
            )

    session.run(work)


async def _watch(
    client: Client, session: Session, only: dict[str, Any], statuses: list[DeploymentStatus], limit: int
) -> None:
    from longshore_client.cli.live_list import show_changes, telling_breaks

    # What leaves the statuses is asked for too: it leaves the table.
    changes = client.watch_deployments(**only, begin_with=min(limit, 500), on_break=telling_breaks())
    async with aclosing(changes):
        await show_changes(changes, session.printer, statuses=statuses, most=limit)


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

    DEPLOYMENT is an id, or the first characters of a recent one. --quiet prints its status.
    """
    from longshore_client.cli.columns import ACTIVATION_COLUMNS
    from longshore_client.cli.facts import deployment_facts
    from longshore_client.cli.failing import finding_lines
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.printing import plain

    async def work(client: Client) -> None:
        deployment = await client.get(await whole_id(client, deployment_id))
        release = await _release_of(client, deployment)
        async with aclosing(client.activations(deployment.deployment_id)) as listed:
            activations = [activation async for activation in listed]
        if not session.printer.for_people:
            told = {**plain(deployment), "release": release, "activations": activations}
            session.printer.result(told, name=deployment.status)
            return
        session.printer.facts(deployment_facts(deployment, release))
        if deployment.error is not None:
            for line in finding_lines(deployment.error.findings, deployment.error.total_findings):
                click.echo(f"  {line}")
        if activations:
            click.echo()
            session.printer.table(ACTIVATION_COLUMNS, activations)

    session.run(work)


async def _release_of(client: Client, deployment: Deployment) -> Release | None:
    from longshore_client.errors import NotFound, PermissionDenied

    if deployment.bundle_kind is None:
        return None
    try:
        return await client.release(deployment.project, deployment.version)
    except (NotFound, PermissionDenied):
        return None
