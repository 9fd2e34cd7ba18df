"""``longshore deploy``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import click

from longshore_client.cli.failing import INTERRUPTED
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment

_FORMATS: Final = ("auto", "tar", "tar.gz", "tar.zst", "tar.xz", "zip", "file")
_READ_BYTES: Final = 1024 * 1024


@click.command(
    "deploy",
    short_help="Deploy a directory or a file, and follow it to its end.",
    epilog="""\b
Examples:
  longshore deploy .
  longshore deploy ./build --project web --bump minor -e staging
  longshore deploy app-2.1.0.whl --project app --version 2.1.0
  tar c build | longshore deploy - --project web --format tar
  longshore deploy . -o json | jq -r .version""",
)
@click.argument("path", type=click.Path(exists=True, allow_dash=True))
@click.option("-p", "--project", help="The project.  [default: the name in package.json or pyproject.toml]")
@click.option("-e", "--environment", default="default", show_default=True, help="Where it goes live.")
@click.option(
    "--version", help="The version.  [default: the manifest's, else the highest, its patch number raised]"
)
@click.option(
    "--bump",
    type=click.Choice(["patch", "minor", "major"]),
    help="Which number of the highest version to raise.",
)
@click.option("-d", "--detach", is_flag=True, help="Return when it is recorded; do not follow it.")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="How long to follow at most.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="How a file is unpacked; `file` installs it as it is.",
)
@click.option("--file-name", help="The file's name on the nodes.  [default: its own]")
@click.option("--sha256", help="The payload's sha256, where it is known; the server verifies it.")
@click.option(
    "--deployment-id",
    metavar="UUID",
    help="The deployment's id; the same again goes on with a broken upload.",
)
@click.option("--plain", is_flag=True, help="Send all bytes as they are, without looking what is there.")
@client_command
def deploy_command(
    session: Session,
    path: str,
    project: str | None,
    environment: str,
    version: str | None,
    bump: str | None,
    detach: bool,
    timeout: float | None,
    format_name: str,
    file_name: str | None,
    sha256: str | None,
    deployment_id: str | None,
    plain: bool,
) -> None:
    """Deploy PATH, a directory or a file, and follow it to its end; `-` is standard input.

    Only what the server does not have is sent, compressed. A directory goes without .git and without what
    its .longshoreignore names. The id of the deployment is said before the first byte is sent; with it a
    broken upload goes on where it stopped.
    """
    from longshore_client.cli.display import display
    from longshore_client.cli.outcome import follow_to_end, how_to_follow, print_outcome
    from longshore_client.client import new_deployment_id
    from longshore_client.errors import TimedOut, Unavailable
    from longshore_client.models import PayloadFormat, VersionBump
    from longshore_client.uploading import Way

    if version and bump:
        raise click.UsageError("--version and --bump exclude each other")
    known_id = deployment_id or new_deployment_id()
    recorded = False

    async def work(client: Client) -> Deployment:
        nonlocal recorded
        with display(sys.stderr) as shown:
            deployment = await client.deploy(
                _standard_input() if path == "-" else path,
                project=project,
                environment=environment,
                version=version,
                bump=VersionBump(bump) if bump else None,
                deployment_id=known_id,
                payload_format=PayloadFormat.UNKNOWN if format_name == "auto" else PayloadFormat(format_name),
                file_name=file_name,
                sha256=sha256,
                way=Way.PLAIN if plain else Way.THRIFTY,
                on_progress=shown.upload,
            )
            recorded = True
            if detach:
                return deployment
            return await follow_to_end(client, known_id, shown, timeout_s=timeout)

    def how_to_go_on() -> str:
        arguments = sys.argv[1:] if deployment_id else [*sys.argv[1:], "--deployment-id", known_id]
        return f"the upload is not complete; go on with it: longshore {shlex.join(arguments)}"

    try:
        deployment = session.run(work)
    except (Unavailable, TimedOut) as error:
        if not recorded:
            error.add_note(how_to_go_on())
        raise
    except KeyboardInterrupt:
        goes_on = f"the deployment goes on; {how_to_follow(known_id)}"
        click.echo(f"interrupted: {goes_on if recorded else how_to_go_on()}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    print_outcome(session, deployment)


async def _standard_input() -> AsyncIterator[bytes]:
    from longshore_client.event_thread import each_in_thread

    async for piece in each_in_thread(iter(lambda: sys.stdin.buffer.read(_READ_BYTES), b"")):
        yield piece
