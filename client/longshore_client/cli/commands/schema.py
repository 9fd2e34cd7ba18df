"""``longshore schema``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click


@click.group(
    "schema",
    short_help="Print JSON Schemas of files that are written, and of what commands print.",
    epilog="""\b
Examples:
  longshore schema pack > pack.schema.json
  longshore schema json deploy""",
)
def schema_command() -> None:
    """Print JSON Schemas (2020-12): of the files that authors of bundles write, and of what commands print.

    An editor with the YAML language server checks and completes a file that begins with the line
    `# yaml-language-server: $schema=pack.schema.json`.
    """


def _add_file_command(name: str, constant: str, what: str) -> None:
    """Add the command ``name``, which prints a schema out of ``longshore_bundles.schemas``."""

    @schema_command.command(
        name,
        short_help=f"Print the JSON Schema of {what}.",
        help=f"Print the JSON Schema of {what}: the one that it is checked against.",
        epilog=f"""\b
Examples:
  longshore schema {name} > {name}.schema.json""",
    )
    def command() -> None:
        from longshore_bundles import schemas

        _print(getattr(schemas, constant))


_add_file_command("pack", "PACK", "a pack's pack.yaml")
_add_file_command("workflow", "WORKFLOW", "a file in a pack's workflows/")
_add_file_command("skill", "SKILL_FRONT_MATTER", "the front matter of a skill's SKILL.md")
_add_file_command("index", "INDEX", "a registry's index")


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
    _print(document)


def _print(schema: dict[str, Any]) -> None:
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))


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
