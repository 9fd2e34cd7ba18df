"""``longshore new``: needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command

_KINDS: Final = ("skill", "pack")


@click.command(
    "new",
    short_help="Write a new skill or pack from a template.",
    epilog="""\b
Examples:
  longshore new skill log-rotate
  longshore new pack netops --into packs
  cd "$(longshore new pack netops -q)\"""",
)
@click.argument("kind", type=click.Choice(_KINDS), metavar="skill|pack")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The directory to put it in; it is made where it is missing.  [default: the working directory]",
)
@local_command
def new_command(printer: Printer, kind: str, name: str, into: Path) -> None:
    """Write a skill or a pack called NAME that does a little, and that `longshore validate` finds valid.

    It becomes a directory of that name. Nothing is overwritten: where anything of that name is, nothing is
    written.
    """
    import shlex

    from longshore_bundles import BundleKind
    from longshore_client.cli.new_bundles import NameRefused, write_bundle
    from longshore_client.cli.results import NewBundle
    from longshore_client.cli.wording import safe

    root = into / name
    try:
        written = write_bundle(BundleKind(kind), name, root)
    except NameRefused as error:
        raise click.BadParameter(safe(str(error)), param_hint="NAME") from error
    except FileExistsError as error:
        there = safe(str(error.filename))
        raise click.BadParameter(
            f"{there} is there already, nothing was written", param_hint="NAME"
        ) from error
    except OSError as error:
        cannot = safe(f"cannot write {root}: {error.strerror or error}")
        raise click.BadParameter(cannot, param_hint="--into") from error
    made = NewBundle(kind, name, root, written)
    printer.result(made, sentence=f"the {kind} {name} is in {root}: {', '.join(written)}", name=str(root))
    if printer.for_people:
        there = safe(shlex.quote(str(root)))
        click.echo(f"  check it:   longshore validate {there}")
        click.echo(f"  try it:     longshore dev {there}")
        click.echo(f"  deploy it:  longshore deploy {there}")
