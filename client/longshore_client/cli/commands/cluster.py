"""``longshore nodes`` and ``longshore audit``."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client


@click.command(
    "nodes",
    short_help="List the nodes.",
    epilog="""\b
Examples:
  longshore nodes
  longshore nodes -e production -o json | jq 'select(.alive | not)'""",
)
@click.option("-e", "--environment", help="Only of this environment.")
@client_command
def nodes_command(session: Session, environment: str | None) -> None:
    """List the nodes by name: where they are, what they do, and whether they are alive."""
    from longshore_client.cli.columns import NODE_COLUMNS

    async def work(client: Client) -> None:
        async with aclosing(client.nodes(environment=environment)) as nodes:
            await session.print_rows(nodes, NODE_COLUMNS, nothing="no nodes")

    session.run(work)


@click.command(
    "audit",
    short_help="Show who did what, newest first.",
    epilog="""\b
Examples:
  longshore audit web
  longshore audit --by anna -n 100 -o json""",
)
@click.argument("project", required=False)
@click.option("-e", "--environment", help="Only in this environment.")
@click.option(
    "--deployment",
    "deployment_id",
    metavar="DEPLOYMENT",
    help="Only on this deployment; its id or the first characters.",
)
@click.option("--by", "principal", metavar="WHO", help="Only by this caller.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most."
)
@client_command
def audit_command(
    session: Session,
    project: str | None,
    environment: str | None,
    deployment_id: str | None,
    principal: str | None,
    limit: int,
) -> None:
    """Show who did what, when and from where, newest first; to one PROJECT, or to all."""
    from longshore_client.cli.columns import AUDIT_COLUMNS
    from longshore_client.cli.identifying import whole_id

    async def work(client: Client) -> None:
        entries = client.audit(
            project=project,
            environment=environment,
            deployment_id=await whole_id(client, deployment_id) if deployment_id else None,
            principal=principal,
            limit=limit,
        )
        async with aclosing(entries):
            await session.print_rows(entries, AUDIT_COLUMNS, nothing="no entries")

    session.run(work)
