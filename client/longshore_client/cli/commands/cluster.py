"""``longshore nodes``, ``longshore locks`` and ``longshore audit``."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.options import Limit, environment_filter, limit_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from longshore_client.catalog_models import AuditEntry
    from longshore_client.client import Client


@click.command(
    "nodes",
    short_help="List the nodes.",
    epilog="""\b
Examples:
  longshore nodes
  longshore nodes --watch
  longshore nodes -e production -o json | jq 'select(.alive | not)'""",
)
@environment_filter
@click.option("-w", "--watch", is_flag=True, help="Show them as they change, until Ctrl-C.")
@client_command
def nodes_command(session: Session, environment: str | None, watch: bool) -> None:
    """List the nodes by name: where they are, what they do, and whether they are alive."""
    from longshore_client.cli.columns import NODE_COLUMNS

    if watch:
        session.run(lambda client: _watch(client, session, environment))
        return

    async def work(client: Client) -> None:
        async with aclosing(client.nodes(environment=environment)) as nodes:
            await session.printer.rows(
                nodes, NODE_COLUMNS, name=lambda node: node.node_name, nothing="no nodes"
            )

    session.run(work)


async def _watch(client: Client, session: Session, environment: str | None) -> None:
    from longshore_client.cli.live_list import telling_breaks
    from longshore_client.cli.live_nodes import show_nodes

    changes = client.watch_nodes(environment=environment, on_break=telling_breaks())
    async with aclosing(changes):
        await show_nodes(changes, session.printer)


@click.command(
    "locks",
    short_help="List the locks that are held.",
    epilog="""\b
Examples:
  longshore locks
  longshore locks -o json | jq 'select(.waiting > 0)'""",
)
@client_command
def locks_command(session: Session) -> None:
    """List the locks that are held just now, by whom, and how many wait for each."""
    from longshore_client.cli.columns import LOCK_COLUMNS

    async def work(client: Client) -> None:
        async with aclosing(client.locks()) as locks:
            await session.printer.rows(
                locks, LOCK_COLUMNS, name=lambda lock: lock.name, nothing="no locks are held"
            )

    session.run(work)


@click.command(
    "audit",
    short_help="Show who did what, newest first.",
    epilog="""\b
Examples:
  longshore audit web
  longshore audit --by anna -n 100 -o json""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_filter
@click.option(
    "--deployment",
    "deployment_id",
    metavar="DEPLOYMENT",
    shell_complete=completing.deployments,
    help="Only on this deployment; its id or the first characters.",
)
@click.option("--by", "principal", metavar="WHO", help="Only by this caller.")
@limit_option
@client_command
def audit_command(
    session: Session,
    project: str | None,
    environment: str | None,
    deployment_id: str | None,
    principal: str | None,
    limit: Limit,
) -> None:
    """Show who did what, when and from where, newest first; to one PROJECT, or to all."""
    from longshore_client.cli.columns import AUDIT_COLUMNS
    from longshore_client.cli.first_rows import first_rows
    from longshore_client.cli.identifying import whole_id

    async def work(client: Client) -> None:
        whole = await whole_id(client, deployment_id) if deployment_id else None

        def read(most: int | None) -> AsyncGenerator[AuditEntry, None]:
            return client.audit(
                project=project,
                environment=environment,
                deployment_id=whole,
                principal=principal,
                limit=most,
            )

        async with first_rows(read, limit, session.printer) as entries:
            await session.printer.rows(
                entries, AUDIT_COLUMNS, name=lambda entry: str(entry.entry_id), nothing="no entries"
            )

    session.run(work)
