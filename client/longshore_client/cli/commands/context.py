"""``longshore context``: named servers, and which of them commands talk to."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from longshore_client.cli import completing
from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command

if TYPE_CHECKING:
    from longshore_client.cli.contexts import Contexts
    from longshore_client.cli.showing import Tls

_FILES: Final = ("ca", "cert", "key")
# Relative to where the command is called; an empty one takes the file out again.
_FILE: Final = click.Path(dir_okay=False)


@click.group(
    "context",
    short_help="Name servers, and choose which one commands talk to.",
    epilog="""\b
Examples:
  longshore context set staging --server staging-1:7420,staging-2:7420 -e staging
  longshore context set live --server live-1:7420 -e production --use
  longshore context use staging
  longshore --context live list""",
)
def context_command() -> None:
    """Keep servers under names, each with the environment and the project that commands mean there.

    They stand in $XDG_CONFIG_HOME/longshore/contexts.yaml (~/.config without that variable), which only its
    owner may read.

    The server that is asked is the first that is named of --server, --context, LONGSHORE_SERVER,
    LONGSHORE_CONTEXT and the context in use; else it is 127.0.0.1:7420. A server that is named sets the
    context in use aside; a context that is named beside it still tells environment and project.
    """


@context_command.command(
    "list",
    short_help="List the contexts.",
    epilog="""\b
Examples:
  longshore context list
  longshore context list -o json | jq -r .server""",
)
@local_command
def list_contexts(printer: Printer) -> None:
    """List the contexts; `*` marks the one in use."""
    from longshore_client.cli.contexts import ContextRow, contexts_file, load_contexts
    from longshore_client.cli.tables import Column

    contexts = load_contexts()
    rows = [contexts.row(name) for name in contexts.by_name]
    if not printer.for_people:
        for row in rows:
            printer.result(row, name=row.name)
    elif not rows:
        click.echo(f"no contexts in {contexts_file()}", err=True)
    else:
        columns: list[Column[ContextRow]] = [
            Column("", lambda row: "*" if row.current else "", color=lambda _: "green"),
            Column("CONTEXT", lambda row: row.name),
            Column("SERVER", lambda row: row.server, flexible=True),
            Column("ENVIRONMENT", lambda row: row.environment, importance=1),
            Column("PROJECT", lambda row: row.project, importance=2),
        ]
        printer.table(columns, rows)


@context_command.command(
    "show",
    short_help="Show what commands talk to now, or one context.",
    epilog="""\b
Examples:
  longshore context show
  longshore context show staging
  longshore context show -q""",
)
@click.argument("name", required=False, shell_complete=completing.contexts)
@local_command
def show_context(printer: Printer, name: str | None) -> None:
    """Show which server, environment and project commands mean now and why; or those of the context NAME."""
    from longshore_client.cli.choosing import choose
    from longshore_client.cli.tables import Fact

    outer = click.get_current_context().find_root().params
    chosen = choose(outer.get("server") if not name else None, name or outer.get("context"))
    if not printer.for_people:
        printer.result(chosen, name=chosen.context)
        return
    printer.facts(
        [
            Fact("context", chosen.context or "none"),
            Fact("server", chosen.server),
            Fact("environment", chosen.environment),
            Fact("project", chosen.project),
            Fact("encrypted", _told(chosen.tls)),
            Fact("chosen by", "" if name else _SOURCES.get(chosen.source, chosen.source)),
        ]
    )


@context_command.command(
    "use",
    short_help="Talk to this context's server from now on.",
    epilog="""\b
Examples:
  longshore context use staging""",
)
@click.argument("name", shell_complete=completing.contexts)
@local_command
def use_context(printer: Printer, name: str) -> None:
    """Let commands use the context NAME where nothing else is named."""
    from longshore_client.cli.contexts import change_contexts

    contexts = change_contexts(lambda before: dataclasses.replace(before, current=before.named(name).name))
    row = contexts.row(name)
    printer.result(row, sentence=f"commands talk to {row.server}")
    set_aside = next((each for each in ("LONGSHORE_SERVER", "LONGSHORE_CONTEXT") if os.environ.get(each)), "")
    if set_aside and printer.for_people:
        click.echo(f"but {set_aside} is set here and goes before it", err=True)


@context_command.command(
    "set",
    short_help="Make a context, or change it.",
    epilog="""\b
Examples:
  longshore context set staging --server staging-1:7420 -e staging
  longshore context set live --server live-1:7420 --ca ca.pem
  longshore context set staging --project web
  longshore context set staging --project ""      # no project any more""",
)
@click.argument("name", shell_complete=completing.contexts)
@click.option("--server", metavar="HOST:PORT[,…]", help="Its server; several with commas between them.")
@click.option("-e", "--environment", help="The environment that commands mean there.")
@click.option("-p", "--project", help="The project that commands mean there.")
@click.option("--tls/--no-tls", default=None, help="Connect encrypted.")
@click.option("--ca", type=_FILE, metavar="FILE", help="The authority of the server's certificate, in PEM.")
@click.option("--cert", type=_FILE, metavar="FILE", help="The certificate to show the server.")
@click.option("--key", type=_FILE, metavar="FILE", help="Its key.")
@click.option("--use", is_flag=True, help="Talk to it from now on.")
@local_command
def set_context(
    printer: Printer, /, name: str, server: str | None, use: bool, tls: bool | None, **options: str | None
) -> None:
    """Make the context NAME, or change what is given of it. The first one that is made is used at once."""
    from longshore_client.cli.contexts import Context, change_contexts, checked_field

    given = {field: text for field, text in {"server": server, **options}.items() if text is not None}
    try:
        for field, text in {"name": name, **given}.items():
            checked_field(field, text)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    # Commands may be called anywhere.
    given |= {field: str(Path(given[field]).expanduser().absolute()) for field in _FILES if given.get(field)}
    changes: dict[str, Any] = given if tls is None else {**given, "tls": tls}

    def change(before: Contexts) -> Contexts:
        context = before.by_name.get(name)
        if context is None:
            if server is None:
                raise click.UsageError(f"{name} is new: name its server with --server")
            context = Context(name, server)
        changed = {**before.by_name, name: dataclasses.replace(context, **changes)}
        return dataclasses.replace(
            before, by_name=changed, current=name if use or not before.by_name else before.current
        )

    contexts = change_contexts(change)
    row = contexts.row(name)
    in_use = "; commands use it" if row.current else ""
    printer.result(row, sentence=f"{name} is {row.server}{in_use}")


@context_command.command(
    "remove",
    short_help="Forget a context.",
    epilog="""\b
Examples:
  longshore context remove staging""",
)
@click.argument("name", shell_complete=completing.contexts)
@local_command
def remove_context(printer: Printer, name: str) -> None:
    """Forget the context NAME; where it is in use, none is from then on."""
    from longshore_client.cli.contexts import change_contexts, load_contexts

    removed = load_contexts().row(name)

    def change(before: Contexts) -> Contexts:
        before.named(name)
        left = {each: context for each, context in before.by_name.items() if each != name}
        return dataclasses.replace(
            before, by_name=left, current="" if before.current == name else before.current
        )

    change_contexts(change)
    printer.result(removed, sentence=f"{name} is forgotten")


def _told(tls: Tls) -> str:
    files = [f"{name} {path}" for name in _FILES if (path := getattr(tls, name))]
    return ", ".join(files) if files else "yes" if tls.on else ""


_SOURCES = {"current": "the context in use", "default": "nothing: it is what is asked by default"}
