"""``longshore checksum``: needs no server."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command


@click.command(
    "checksum",
    short_help="Print the content checksum of a directory or a file.",
    epilog="""\b
Examples:
  longshore checksum .
  longshore checksum web-1.4.2.tar.gz -o json""",
)
@click.argument("path", type=click.Path(exists=True))
@local_command
def checksum_command(printer: Printer, path: str) -> None:
    """Print the content checksum of PATH: the same for a directory and for any archive of it.

    It is the sha256 of the tree's canonical tar, or of the file's bytes, and the content_sha256 of a release.
    """
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
