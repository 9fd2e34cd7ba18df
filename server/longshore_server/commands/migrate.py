"""``longshore admin migrate``: the schema of the database, in two phases."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click

from longshore_server import __version__
from longshore_server.disk import DataFolder
from longshore_server.registration import SCHEMA
from longshore_server.settings import Settings
from longshore_server.stores import open_coordination_of
from longshore_storage.catalogue import open_catalogue, revisions
from longshore_storage.catalogue.revisions import Revision
from longshore_storage.errors import CoordinationUnavailable, Misconfigured

from .acting import record_done
from .running import run_with_settings, where


@click.command(epilog="Example: longshore admin migrate --config longshore.yaml")
@where
@click.option(
    "--contract",
    is_flag=True,
    help="Also take away what only versions before this one need. Refused while such a node runs.",
)
@click.option("--force", is_flag=True, help="Also where such a node runs, which stops then.")
def migrate(config: Path | None, data_dir: Path | None, contract: bool, force: bool) -> None:
    """Bring the database to the schema of this version. Does nothing the second time.

    Nodes of the version before may run meanwhile, and be started afterwards.
    """

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            if settings.embedded_database:
                # A node that runs has it.
                stack.enter_context(DataFolder.open(settings.data_dir))
            catalogue = open_catalogue(settings.database_url)
            stack.push_async_callback(catalogue.close)
            coming = await catalogue.ahead(contract=contract)
            if not force and any(revision.contracts for revision in coming):
                await _refuse_older_nodes(settings, coming)
            reached = await catalogue.migrate(contract=contract)
            # What was made just now has no trail yet, and a backup may be restored into it.
            if coming and coming[0].number > 1:
                steps = ", ".join(revision.name for revision in coming)
                await record_done(catalogue, "database.migrated", f"to {reached}, by {steps}")
            left = await catalogue.ahead(contract=True)
        click.echo(f"the database {catalogue.database} has schema {revisions.parsed(reached)}")
        if left:
            click.echo(
                "when every node runs this version, `longshore admin migrate --contract` takes away what "
                "only older ones need"
            )

    run_with_settings(config, {"data_dir": data_dir}, run)


async def _refuse_older_nodes(settings: Settings, coming: Sequence[Revision]) -> None:
    """Raise ``Misconfigured`` where a node runs that could not work with what is to come."""
    oldest = max(revision.oldest for revision in coming)
    async with AsyncExitStack() as stack:
        coordination = open_coordination_of(settings, stack)
        try:
            running = await coordination.members()
        except CoordinationUnavailable as error:
            raise Misconfigured(
                f"whether older nodes run cannot be told: {error}. Start etcd, or add --force where none does"
            ) from error
    older = [
        f"{member.name} (Longshore {member.attributes.get('version', 'of an unknown version')})"
        for member in sorted(running, key=lambda member: member.name)
        if (knows := revisions.parsed(member.attributes.get(SCHEMA, ""))) is None or knows.number < oldest
    ]
    if older:
        raise Misconfigured(
            f"{', '.join(older)} run{'s' if len(older) == 1 else ''} and could not work with the database "
            f"any more: upgrade every node to {__version__} first; nothing was changed"
        )
