"""What the server's commands share: where their settings come from, and how their errors are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from longshore_server.disk import DiskError
from longshore_server.log import configure_logging
from longshore_server.settings import Settings, load_settings
from longshore_storage.errors import StorageError

_EXIT_FAILED = 1

_Command = TypeVar("_Command", bound=Callable[..., Any])


def where(command: _Command) -> _Command:
    """The options ``--config`` and ``--data-dir``."""
    data_dir = click.option(
        "--data-dir", type=click.Path(path_type=Path), help="Where the node keeps its data."
    )
    config = click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="LONGSHORE_CONFIG",
        help="A YAML file with settings.",
    )
    return config(data_dir(command))


def run_with_settings(
    config: Path | None,
    options: Mapping[str, Any],
    work: Callable[[Settings], Coroutine[Any, Any, None]],
) -> None:
    """Run ``work`` with the settings; what forbids it is told, a line each, and the exit code is 1."""
    try:
        settings = load_settings(config, options)
        configure_logging(settings.log.level, settings.log.format)
        with suppress(KeyboardInterrupt):
            asyncio.run(work(settings))
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
