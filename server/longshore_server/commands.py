"""The server's part of the command line: ``longshore serve`` and ``longshore admin …``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from longshore_storage.catalogue import open_catalogue
from longshore_storage.errors import StorageError

from .disk.errors import DiskError
from .log import configure_logging
from .settings import Settings, load_settings

_EXIT_FAILED = 1

_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="LONGSHORE_CONFIG",
    help="A YAML file with settings.",
)


@click.command(epilog="Example: longshore serve --data-dir /var/lib/longshore --listen 127.0.0.1:7420")
@_config
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the node keeps its data.")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 picks a free one.")
def serve(config: Path | None, data_dir: Path | None, listen: str | None) -> None:
    """Run a node. Its first line says where it listens."""

    async def run(settings: Settings) -> None:
        from .node import running_node

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with running_node(settings) as node:
            click.echo(f"listening on {node.address}")
            sys.stdout.flush()
            await stop.wait()
            await node.drain(settings.drain_timeout_s)

    _run(config, {"data_dir": data_dir, "listen": listen}, run)


@click.group()
def admin() -> None:
    """Look after the server's stores."""


@admin.command()
@_config
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the node keeps its data.")
def migrate(config: Path | None, data_dir: Path | None) -> None:
    """Bring the database to this version's schema. Does nothing the second time."""

    async def run(settings: Settings) -> None:
        if settings.embedded_database:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        catalogue = open_catalogue(settings.database_url)
        try:
            revision = await catalogue.migrate()
        finally:
            await catalogue.close()
        click.echo(f"the database {catalogue.database} has schema {revision}")

    _run(config, {"data_dir": data_dir}, run)


def _run(config: Path | None, options: dict[str, Any], work: Any) -> None:
    try:
        settings = load_settings(config, options)
        configure_logging(settings.log.level, settings.log.format)
        coroutine: Coroutine[Any, Any, None] = work(settings)
        with suppress(KeyboardInterrupt):
            asyncio.run(coroutine)
    except (StorageError, DiskError) as error:
        _exit(str(error))
    except BaseExceptionGroup as group:
        known, unknown = group.split((StorageError, DiskError))
        if unknown is not None or known is None:
            raise
        _exit("\n".join(str(error) for error in known.exceptions))


def _exit(message: str) -> None:
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)
    raise SystemExit(_EXIT_FAILED)
