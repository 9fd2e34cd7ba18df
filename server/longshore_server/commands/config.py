"""``longshore admin config show`` and ``check``: the settings as a node would take them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from longshore_server.exposures import exposures
from longshore_server.settings import Settings
from longshore_server.settings.effective import effective

from .config_problems import problems
from .running import run_with_settings, where

_EXIT_WRONG: Final = 1


@click.group(epilog="Example: longshore admin config check --config longshore.yaml")
def config() -> None:
    """Show the settings, or look for what is wrong with them, before a node starts with them."""


@config.command(epilog="Example: longshore admin config show --config longshore.yaml")
@where
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def show(config: Path | None, data_dir: Path | None, output: str) -> None:
    """Show every setting as it holds, and the file, variable or option that it is from.

    Secrets are shown as ********.
    """
    options = {"data_dir": data_dir}

    async def run(settings: Settings) -> None:
        found = effective(settings, config, options)
        if output == "json":
            click.echo(json.dumps([one._asdict() for one in found], indent=2))
            return
        for one in found:
            value = json.dumps(one.value, ensure_ascii=False)
            source = "" if one.source == "default" else click.style(f"  # {one.source}", dim=True)
            click.echo(f"{one.key}: {value}{source}")

    run_with_settings(config, options, run)


@config.command(epilog="Example: longshore admin config check --config longshore.yaml")
@where
def check(config: Path | None, data_dir: Path | None) -> None:
    """Look for what is wrong with the settings, and with the files that they name, and tell all of it.

    Whether the database, the blob store, etcd and whoever issues tokens answer, and have what the settings
    name, is not asked: `longshore doctor` does that. The exit code is 1 when something is wrong. What
    settings leave open to others, and a certificate that expires soon, is a warning.
    """

    async def run(settings: Settings) -> None:
        found, warnings = await problems(settings)
        for problem in found:
            click.echo(f"error: {problem}", err=True)
        if found:
            raise SystemExit(_EXIT_WRONG)
        warnings += [f"{exposure.what}; {exposure.advice}" for exposure in exposures(settings, config)]
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
        click.echo("nothing is wrong with the settings and their files; `longshore doctor` asks the stores")

    run_with_settings(config, {"data_dir": data_dir}, run)
