"""``longshore download``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.downloading import Download


@click.command(
    "download",
    short_help="Download a release's payload, verified.",
    epilog="""\b
Examples:
  longshore download web 1.4.2
  longshore download web 1.4.2 /tmp/web.tar
  longshore download web 1.4.2 - | tar t""",
)
@click.argument("project", shell_complete=completing.projects)
@click.argument("version", shell_complete=completing.versions)
@click.argument("destination", default=".", type=click.Path(allow_dash=True))
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@client_command
def download_command(session: Session, project: str, version: str, destination: str, force: bool) -> None:
    """Download the payload of PROJECT's release VERSION to DESTINATION, a file or a directory.

    A broken connection is resumed; the bytes are verified; the file appears when it is whole. `-` writes to
    standard output, where damage shows only at the end, in the exit code.
    """
    from longshore_client.cli.wording import safe, size

    if destination == "-":
        session.run(lambda client: _to_standard_output(client, project, version))
        return

    async def work(client: Client) -> Download:
        from longshore_client.cli.transfer_bar import transfer_bar

        with transfer_bar("downloading", session.printer) as bar:
            return await client.download(
                project,
                version,
                destination,
                overwrite=force,
                on_progress=lambda progress: bar(progress.done_bytes, progress.total_bytes),
            )

    download = session.run(work)
    path = safe(str(download.path))
    told = f"{path}: {size(download.size_bytes)}, sha256:{download.payload_sha256}"
    session.printer.result(download, sentence=told, name=path)


async def _to_standard_output(client: Client, project: str, version: str) -> None:
    from contextlib import aclosing

    async with aclosing(client.read_payload(project, version)) as pieces:
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
