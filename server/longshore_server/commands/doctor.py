"""``longshore doctor``: looks at every part of an installation, from where it is run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from longshore_server.doctor import Finding, State, look_at_everything
from longshore_server.settings import Settings

from .running import run_with_settings, where

_EXIT_BAD = 1
_COLORS = {State.OK: "green", State.WARN: "yellow", State.BAD: "red"}


@click.command(epilog="Example: longshore doctor --config longshore.yaml")
@where
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")
def doctor(config: Path | None, data_dir: Path | None, output: str) -> None:
    """Look at every part: settings, certificate, disk, stores, who gets in, nodes, and what stands still.

    Says what works, what does not, and what to do. The exit code is 1 when something keeps Longshore from
    working. Nothing is changed; a probe is put into the blob store and removed again. Issuers are asked for
    their keys, and to receivers of notifications a connection is opened; nothing is sent to them.
    """
    found: list[Finding] = []

    async def run(settings: Settings) -> None:
        async for finding in look_at_everything(settings, config):
            found.append(finding)
            if output == "json":
                click.echo(json.dumps(asdict(finding)))
            else:
                _print(finding)

    run_with_settings(config, {"data_dir": data_dir}, run)
    if any(finding.state is State.BAD for finding in found):
        raise SystemExit(_EXIT_BAD)


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state.value:4}", fg=_COLORS[finding.state], bold=True)
    click.echo(f"{state}  {finding.part:13}  {finding.what}")
    if finding.advice:
        click.echo(f"{'':21}what to do: {finding.advice}")
