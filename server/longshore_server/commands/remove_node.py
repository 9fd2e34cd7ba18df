"""``longshore admin remove-node``: forgets a node that is gone for good."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_server.settings import Settings
from longshore_storage.catalogue import nodes, open_catalogue
from longshore_storage.catalogue.audit_trail import record_audit

from .acting import admin_actor
from .asking import confirm
from .running import run_with_settings, where


@click.command("remove-node", epilog="Example: longshore admin remove-node web-3 --config longshore.yaml")
@where
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_node(config: Path | None, data_dir: Path | None, name: str, yes: bool) -> None:
    """Forget the node NAME, so that no rollout waits for it.

    Only for a node that does not run any more: one that does would stop, and register anew at its next
    start.
    """

    async def run(settings: Settings) -> None:
        catalogue = open_catalogue(settings.database_url)
        try:
            async with catalogue.transaction() as transaction:
                removed = await nodes.remove(transaction, name)
                if removed:
                    await record_audit(
                        transaction, admin_actor(), "node.removed", to_status="REMOVED", message=name
                    )
        finally:
            await catalogue.close()
        if not removed:
            raise click.ClickException(f"there is no node {name!r}: see `longshore nodes`")
        click.echo(f"node {name} is forgotten")

    if not yes:
        confirm(f"Forget node {name}, which must not be running?")
    run_with_settings(config, {"data_dir": data_dir}, run)
