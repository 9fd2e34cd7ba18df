"""``longshore schema``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click


@click.group(
    "schema",
    short_help="Print the schemas of what commands print as JSON.",
    epilog="""\b
Examples:
  longshore schema json deploy
  longshore schema json context list""",
)
def schema_command() -> None:
    """Print schemas: of what this program prints."""


@schema_command.command(
    "json",
    short_help="Print the JSON Schema of a command's -o json.",
    epilog="""\b
Examples:
  longshore schema json > longshore.schema.json
  longshore schema json list
  longshore schema json context list""",
)
@click.argument("command", nargs=-1)
def json_command(command: tuple[str, ...]) -> None:
    """Print the JSON Schema (2020-12) of one object that COMMAND prints with -o json.

    Commands that list print one such object a line. Without COMMAND everything is printed, what each command
    prints under `commands`. Fields and values are only added, so read what you know and ignore the rest.
    """
    document: dict[str, Any] = json.loads(Path(__file__).parents[1].joinpath("schemas.json").read_text())
    name = " ".join(command)
    if name:
        document = _of_command(document, name)
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _of_command(document: dict[str, Any], name: str) -> dict[str, Any]:
    commands = document.pop("commands")
    if name not in commands:
        raise click.UsageError(f"{name!r} prints no JSON. These commands do: {', '.join(commands)}")
    needed = _definitions(commands[name], document["$defs"], {})
    return {"$schema": document["$schema"], **commands[name], "$defs": dict(sorted(needed.items()))}


def _definitions(schema: Any, known: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The definitions that a schema refers to, and those that these refer to."""
    for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)):
        if name not in found:
            found[name] = known[name]
            _definitions(known[name], known, found)
    return found
