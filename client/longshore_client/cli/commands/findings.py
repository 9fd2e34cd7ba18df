"""``longshore findings``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.options import Limit, limit_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client


@click.command(
    "findings",
    short_help="List what was found in a deployment's payload.",
    epilog="""\b
Examples:
  longshore findings 5f0c31aa
  longshore findings 5f0c31aa -n all -o json | jq -r .code | sort | uniq -c""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@limit_option
@client_command
def findings_command(session: Session, deployment_id: str, limit: Limit) -> None:
    """List what was found in the payload of DEPLOYMENT, errors first."""
    from longshore_client.cli.columns import FINDING_COLUMNS
    from longshore_client.cli.first_rows import first_rows
    from longshore_client.cli.identifying import whole_id

    async def work(client: Client) -> None:
        whole = await whole_id(client, deployment_id)
        total = await client.count_findings(whole)
        async with first_rows(
            lambda most: client.findings(whole, limit=most), limit, session.printer, total=total
        ) as found:
            await session.printer.rows(
                found, FINDING_COLUMNS, name=lambda finding: finding.code, nothing="nothing was found"
            )

    session.run(work)
