"""``longshore checksum``: needs no server."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_client.cli.paths import ExistingPath
from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command


@click.command(
    "checksum",
    short_help="Print the content checksum of a directory or a file.",
    epilog="""\b
Examples:
  longshore checksum .
  longshore checksum web-1.4.2.tar.gz -o json
  longshore checksum ./netops --json > entry.json""",
)
@click.argument("path", type=ExistingPath())
@click.option("--json", "as_entry", is_flag=True, help="Of a pack: print its whole entry for an index.")
@local_command
def checksum_command(printer: Printer, path: str, as_entry: bool) -> None:
    """Print the content checksum of PATH: the same for a directory and for any archive of it.

    It is the sha256 of the tree's canonical tar, or of the file's bytes, and the content_sha256 of a release.

    With --json, of a pack, all that an index says of it is printed; put its true address in.
    """
    if as_entry:
        if not printer.for_people:
            raise click.UsageError("--json excludes --output and --quiet: an entry is always printed as JSON")
        _print_entry(Path(path))
        return
    from longshore_client.cli.results import Checksum
    from longshore_client.cli.wording import safe
    from longshore_client.contents import content_of

    content = content_of(Path(path))
    checksum = f"sha256:{content.content_sha256}"
    printer.result(
        Checksum(path, checksum, content.payload_format),
        sentence=f"{checksum}  {safe(path)}",
        name=checksum,
    )


def _print_entry(path: Path) -> None:
    from longshore_bundles.registry import pack_text
    from longshore_client.cli.index_making import EXAMPLE_SOURCE, made_entry, print_document

    print_document(pack_text(made_entry(path, EXAMPLE_SOURCE)))
