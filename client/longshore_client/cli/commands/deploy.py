"""``longshore deploy``."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.cli.failing import INTERRUPTED
from longshore_client.cli.making import following_options, queue_option, terms_of, terms_options
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment

_FORMATS: Final = ("auto", "tar", "tar.gz", "tar.zst", "tar.xz", "zip", "file")
_READ_BYTES: Final = 1024 * 1024
_WHAT_MAKES_AN_UPLOAD: Final = (
    *("project", "environment", "version", "bump", "format_name", "file_name", "sha256", "plain"),
    *("stage", "queue", "expect_live", "labels"),
)


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
@click.option("--stage", is_flag=True, help="Record it and wait for `longshore promote`.")
@queue_option
@terms_options
@following_options
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
@click.option("--new", "anew", is_flag=True, help="Start anew, also where an unfinished upload could go on.")
@click.option("--plain", is_flag=True, help="Send all bytes as they are, without looking what is there.")
@client_command
def deploy_command(
    session: Session,
    path: str,
    project: str | None,
    environment: str,
    version: str | None,
    bump: str | None,
    stage: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    detach: bool,
    timeout: float | None,
    format_name: str,
    file_name: str | None,
    sha256: str | None,
    deployment_id: str | None,
    anew: bool,
    plain: bool,
) -> None:
    """Deploy PATH, a directory or a file, and follow it to its end; `-` is standard input.

    Only what the server does not have is sent, compressed. A directory goes without .git and without what
    its .longshoreignore names. An upload that was broken off, by Ctrl-C say, goes on when the same command
    is run again within 24 hours and PATH has not changed.
    """
    from longshore_client.addresses import checked_addresses
    from longshore_client.cli.display import display
    from longshore_client.cli.outcome import follow_to_end, how_to_follow, print_outcome
    from longshore_client.cli.resuming import UploadRun, upload_run
    from longshore_client.errors import ServerFault, StorageFull, TimedOut, Unavailable
    from longshore_client.models import PayloadFormat, VersionBump
    from longshore_client.uploading import Way

    if version and bump:
        raise click.UsageError("--version and --bump exclude each other")
    if deployment_id and anew:
        raise click.UsageError("--deployment-id and --new exclude each other")
    terms = terms_of(expect_live, labels, queue=queue, stage=stage)

    async def work(client: Client, run: UploadRun) -> Deployment:
        with display(sys.stderr) as shown:
            await run.choose(client, shown.say)
            deployment = await run.upload(
                lambda known_id: client.deploy(
                    _standard_input() if path == "-" else path,
                    project=project,
                    environment=environment,
                    version=version,
                    bump=VersionBump(bump) if bump else None,
                    deployment_id=known_id,
                    payload_format=(
                        PayloadFormat.UNKNOWN if format_name == "auto" else PayloadFormat(format_name)
                    ),
                    file_name=file_name,
                    sha256=sha256,
                    terms=terms,
                    way=Way.PLAIN if plain else Way.THRIFTY,
                    on_progress=shown.upload,
                ),
                shown.say,
            )
            if detach:
                return deployment
            return await follow_to_end(client, run.deployment_id, shown, timeout_s=timeout)

    source = None if path == "-" else Path(os.path.abspath(path))  # noqa: PTH100 (its own name counts)
    given = click.get_current_context().params
    upload = {
        "source": str(source),
        "servers": sorted(checked_addresses(session.server)),
        **{name: given[name] for name in _WHAT_MAKES_AN_UPLOAD},
    }
    say = functools.partial(click.echo, err=True)
    with upload_run(source, upload, say, deployment_id=deployment_id, anew=anew) as run:
        try:
            deployment = session.run(lambda client: work(client, run))
        except (ServerFault, StorageFull, TimedOut, Unavailable) as error:
            if not run.recorded:
                error.add_note(run.how_to_go_on())
            raise
        except KeyboardInterrupt:
            goes_on = f"the deployment goes on; {how_to_follow(run.deployment_id)}"
            click.echo(f"interrupted: {goes_on if run.recorded else run.how_to_go_on()}", err=True)
            click.get_current_context().exit(INTERRUPTED)
    print_outcome(session, deployment)


async def _standard_input() -> AsyncIterator[bytes]:
    from longshore_client.event_thread import each_in_thread

    async for piece in each_in_thread(iter(lambda: sys.stdin.buffer.read(_READ_BYTES), b"")):
        yield piece
