"""``longshore man``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "man",
    short_help="Print manual pages.",
    epilog="""\b
Examples:
  longshore man deploy | man -l -
  longshore man admin gc > longshore-admin-gc.1
  longshore man --to ~/.local/share/man/man1    # then: man longshore-deploy""",
)
@click.argument("command", nargs=-1)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the pages of all commands into this folder.",
)
def man_command(command: tuple[str, ...], folder: Path | None) -> None:
    """Print the manual page of COMMAND, or of the program, as roff."""
    from importlib.metadata import version

    from longshore_client.cli.man_pages import man_page, page_name, pages

    if folder is not None and command:
        raise click.UsageError("--to writes all pages: leave COMMAND out")
    context = click.get_current_context().find_root()
    release = version("longshore")
    if folder is None:
        click.echo(man_page(_named(context, command), version=release), nl=False)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in pages(click.Context(context.command, info_name=context.info_name)):
            folder.joinpath(f"{page_name(each)}.1").write_text(man_page(each, version=release))
    except OSError as error:
        raise click.FileError(str(error.filename or folder), error.strerror) from error


def _named(context: click.Context, names: tuple[str, ...]) -> click.Context:
    found = click.Context(context.command, info_name=context.info_name)
    for name in names:
        group = found.command
        command = group.get_command(found, name) if isinstance(group, click.Group) else None
        if command is None:
            raise click.UsageError(f"{found.command_path} has no command {name!r}")
        found = click.Context(command, info_name=name, parent=found)
    return found
