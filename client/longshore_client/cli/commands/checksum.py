"""``longshore checksum``: needs no server."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_client.cli.printing import OutputFormat, print_object


@click.command(
    "checksum",
    short_help="Print the content checksum of a directory or a file.",
    epilog="""\b
Examples:
  longshore checksum .
  longshore checksum web-1.4.2.tar.gz -o json""",
)
@click.argument("path", type=click.Path(exists=True))
@click.option(
    "-o",
    "--output",
    type=click.Choice([each.value for each in OutputFormat]),
    help="How it is printed.  [default: table]",
)
def checksum_command(path: str, output: str | None) -> None:
    """Print the content checksum of PATH: the same for a directory and for any archive of it.

    It is the sha256 of the tree's canonical tar, or of the file's bytes, and the content_sha256 of a release.
    """
    from longshore_client.cli.wording import safe
    from longshore_client.contents import content_of

    outer: dict[str, str | None] = click.get_current_context().obj or {}
    form = OutputFormat(output or outer.get("output") or OutputFormat.TABLE)
    content = content_of(Path(path))
    checksum = f"sha256:{content.content_sha256}"
    if form is OutputFormat.TABLE:
        click.echo(f"{checksum}  {safe(path)}")
        return
    print_object({"path": path, "content_sha256": checksum, "payload_format": content.payload_format}, form)
