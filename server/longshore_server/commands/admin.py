"""``longshore admin …``: what looks after the stores, beside the server or without it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from longshore_server.disk import DataFolder
from longshore_server.settings import Settings
from longshore_storage.catalogue import open_catalogue

from .compact import compact
from .gc import gc
from .rebuild import rebuild
from .remove_node import remove_node
from .running import run_with_settings, where
from .scrub import scrub


@click.group(epilog="Example: longshore admin migrate --config longshore.yaml")
def admin() -> None:
    """Look after the server's stores."""


@admin.command(epilog="Example: longshore admin migrate --config longshore.yaml")
@where
def migrate(config: Path | None, data_dir: Path | None) -> None:
    """Bring the database to this version's schema. Does nothing the second time."""

    async def run(settings: Settings) -> None:
        with DataFolder.open(settings.data_dir) if settings.embedded_database else nullcontext():
            catalogue = open_catalogue(settings.database_url)
            try:
                revision = await catalogue.migrate()
            finally:
                await catalogue.close()
        click.echo(f"the database {catalogue.database} has schema {revision}")

    run_with_settings(config, {"data_dir": data_dir}, run)


for command in (gc, scrub, compact, rebuild, remove_node):
    admin.add_command(command)
