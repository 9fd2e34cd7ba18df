"""``longshore admin backup`` and ``longshore admin restore``: the catalogue in a file, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from longshore_server import __version__
from longshore_server.collecting.timer import LOCK
from longshore_server.disk import DataFolder
from longshore_server.settings import Settings
from longshore_server.stores import open_catalogue_of, open_coordination_of
from longshore_storage.backup import BackupHeader, back_up, check_backup
from longshore_storage.backup import restore as restore_rows
from longshore_storage.catalogue import open_catalogue
from longshore_storage.errors import BackupUnusable, CoordinationUnavailable
from longshore_storage.ports import Coordination

from .acting import admin_actor, record_done
from .asking import check_askable, confirm
from .meter import meter
from .running import run_with_settings, where

# A restore reads its file between two statements, from a slow disk perhaps.
_IDLE_S: Final = 600


@click.command(epilog="Example: longshore admin backup monday.backup --config longshore.yaml")
@where
@click.argument("file", type=click.Path(path_type=Path))
def backup(config: Path | None, data_dir: Path | None, file: Path) -> None:
    """Write the whole database, as it is at one instant, to the new file FILE.

    Nodes may run meanwhile. Of secrets the file has what the database has: digests of tokens, no tokens.
    Payloads are not in it; docs/operations.md tells what to keep beside it.
    """

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            catalogue = open_catalogue_of(settings, stack)
            try:
                with meter("backing up") as tell:
                    header = await back_up(catalogue, file, server_version=__version__, tell=tell)
            except FileExistsError:
                raise click.ClickException(f"there is a file {file} already: choose another name") from None
            except OSError as error:
                raise click.ClickException(f"{file} cannot be written: {error.strerror or error}") from None
            await record_done(catalogue, "database.backed_up", f"to {file.name}")
        click.echo(f"{file} has the database {catalogue.database} as of {_told(header.time)}")

    run_with_settings(config, {"data_dir": data_dir}, run)


@click.command(epilog="Example: longshore admin restore monday.backup --config longshore.yaml")
@where
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Also where the database is not empty: what is in it is lost.")
@click.option("--yes", is_flag=True, help="Do not ask before --replace.")
def restore(config: Path | None, data_dir: Path | None, file: Path, replace: bool, yes: bool) -> None:
    """Make the database what the backup FILE says. All nodes must be stopped.

    The file is read to its end before anything is changed, and then everything is changed in one transaction.
    A backup of SQLite may be restored into PostgreSQL, and the other way round.
    """

    if replace and not yes:
        # Before a long file is read.
        check_askable()

    async def run(settings: Settings) -> None:
        header = check_backup(file)
        if replace and not yes:
            confirm(f"Replace all that the database has by what it was at {_told(header.time)}?")
        async with AsyncExitStack() as stack:
            if settings.embedded_database:
                # A node that runs has it.
                stack.enter_context(DataFolder.open(settings.data_dir))
            coordination = open_coordination_of(settings, stack)
            catalogue = open_catalogue(settings.database_url, idle_in_transaction_s=_IDLE_S)
            stack.push_async_callback(catalogue.close)
            await stack.enter_async_context(_no_node_runs(coordination))
            await catalogue.migrate()
            with meter("restoring") as tell:
                await restore_rows(catalogue, file, replace=replace, actor=admin_actor(), tell=tell)
        click.echo(f"the database {catalogue.database} is what it was at {_told(header.time)}")
        _tell_next_steps(settings, header)

    run_with_settings(config, {"data_dir": data_dir}, run)


@asynccontextmanager
async def _no_node_runs(coordination: Coordination) -> AsyncIterator[None]:
    """Raise ``BackupUnusable`` where nodes announce themselves, else keep collectors out."""
    try:
        running = await coordination.members()
    except CoordinationUnavailable as error:
        raise BackupUnusable(
            f"whether all nodes are stopped cannot be told: {error}. Start etcd, which may be empty"
        ) from error
    if running:
        names = ", ".join(sorted(member.name for member in running))
        raise BackupUnusable(
            f"{names} run: stop all nodes first; one that was killed counts until its lease ends"
        )
    async with coordination.lock(LOCK):
        yield


def _tell_next_steps(settings: Settings, header: BackupHeader) -> None:
    grace = timedelta(seconds=settings.collecting.grace_s)
    if datetime.now(UTC) - header.time > grace:
        click.echo(
            f"warning: the backup is older than `collecting.grace_s` ({grace}): payloads that were collected "
            "since then may be gone; `longshore admin scrub` names them",
            err=True,
        )
    click.echo(
        "next:\n"
        "  longshore admin rebuild       adds the payloads that were stored since then\n"
        "  longshore serve               on every node; each comes to what the database says by itself\n"
        "  longshore admin scrub         reads all that is stored\n"
        "  longshore admin token list    tokens that were revoked since then are good again: revoke them\n"
        f"  longshore admin audit verify --restored {_moment(header.time)} {_moment(datetime.now(UTC))}\n"
        "                                from now on, else the heads that were sealed in between are missed"
    )


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _told(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
