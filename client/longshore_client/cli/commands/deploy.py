"""``longshore deploy``."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from longshore_client.cli import completing
from longshore_client.cli.making import (
    following_options,
    interrupted,
    is_detached,
    queue_option,
    terms_of,
    terms_options,
)
from longshore_client.cli.options import environment_option
from longshore_client.cli.rollouts import RolloutChoice, rollout_options
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client

_FORMATS: Final = ("auto", "tar", "tar.gz", "tar.zst", "tar.xz", "zip", "file")
_WHAT_MAKES_AN_UPLOAD: Final = (
    *("version", "bump", "format_name", "file_name", "sha256", "send_all"),
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
  longshore deploy . --canary 1 --canary 10%:5m --at-once 25% --failure-domain zone
  longshore deploy . --at-once 2 --max-failed 1 --on-failure keep
  tar c build | longshore deploy - --project web --format tar
  longshore deploy . --validate-only
  longshore deploy . --detach --quiet          # prints the deployment's id
  longshore deploy . -o json | jq -r .version""",
)
@click.argument("path", type=click.Path(exists=True, allow_dash=True))
@click.option(
    "-p",
    "--project",
    shell_complete=completing.projects,
    help="The project.  [default: the name in package.json or pyproject.toml, else the context's]",
)
@environment_option("Where it goes live.")
@click.option(
    "--version", help="The version.  [default: the manifest's, else the highest, its patch number raised]"
)
@click.option(
    "--bump",
    type=click.Choice(["patch", "minor", "major"]),
    help="Which number of the highest version to raise.",
)
@click.option("--stage", is_flag=True, help="Record it and wait for `longshore promote`.")
@click.option("--validate-only", is_flag=True, help="Only examine it, and tell what was found.")
@queue_option
@terms_options
@rollout_options
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
@click.option("--send-all", is_flag=True, help="Send all bytes as they are, without looking what is there.")
@client_command
def deploy_command(
    session: Session,
    path: str,
    project: str | None,
    environment: str | None,
    version: str | None,
    bump: str | None,
    stage: bool,
    validate_only: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    rollout: RolloutChoice,
    wait: str | None,
    detach: bool,
    timeout: float | None,
    format_name: str,
    file_name: str | None,
    sha256: str | None,
    deployment_id: str | None,
    anew: bool,
    send_all: bool,
) -> None:
    """Deploy PATH, a directory or a file, and follow it to its end; `-` is standard input.

    Only what the server does not have is sent, compressed. A directory goes without .git and without what
    its .longshoreignore names. An upload that was broken off, by Ctrl-C say, goes on when the same command
    is run again within 24 hours and PATH has not changed.
    """
    from longshore_client.addresses import checked_addresses
    from longshore_client.cli.outcome import Followed, how_to_follow
    from longshore_client.cli.printing import plain
    from longshore_client.cli.resuming import UploadRun, upload_run
    from longshore_client.cli.standard_input import standard_input
    from longshore_client.cli.validating import refuse_following, validate
    from longshore_client.errors import ServerFault, StorageFull, TimedOut, Unavailable
    from longshore_client.models import PayloadFormat, VersionBump
    from longshore_client.upload_progress import Way

    if version and bump:
        raise click.UsageError("--version and --bump exclude each other")
    if deployment_id and anew:
        raise click.UsageError("--deployment-id and --new exclude each other")
    if validate_only:
        refuse_following(
            {"--stage": stage, "--deployment-id": deployment_id, "--new": anew, "--wait": wait}
            | {"--detach": detach, "--timeout": timeout is not None}
        )
    terms = terms_of(expect_live, labels, rollout, queue=queue, stage=stage)
    named, where = _project(session, path, project), session.environment(environment)
    followed = Followed(session, detach=is_detached(wait, detach=detach), timeout_s=timeout)

    content: dict[str, Any] = {
        "project": named,
        "environment": where,
        "version": version,
        "bump": VersionBump(bump) if bump else None,
        "payload_format": PayloadFormat.UNKNOWN if format_name == "auto" else PayloadFormat(format_name),
        "file_name": file_name,
        "sha256": sha256,
        "way": Way.PLAIN if send_all else Way.THRIFTY,
    }
    if validate_only:
        validate(session, lambda: standard_input() if path == "-" else path, content, terms)
        return

    async def work(client: Client, run: UploadRun) -> None:
        with session.display() as shown:
            await run.choose(client, shown.say)
            deployment = await run.upload(
                lambda known_id: client.deploy(
                    standard_input() if path == "-" else path,
                    deployment_id=known_id,
                    terms=terms,
                    on_progress=shown.upload,
                    **content,
                ),
                shown.say,
            )
            await followed.to_end(client, deployment, shown)

    source = None if path == "-" else Path(os.path.abspath(path))  # noqa: PTH100 (its own name counts)
    given = click.get_current_context().params
    upload = {
        "source": str(source),
        "servers": sorted(checked_addresses(session.server)),
        "project": named,
        "environment": where,
        **{name: given[name] for name in _WHAT_MAKES_AN_UPLOAD},
        "strategy": plain(rollout.strategy),
        "failure_policy": rollout.failure_policy,
    }
    say = functools.partial(click.echo, err=True) if not session.printer.quiet else _say_nothing
    with upload_run(source, upload, say, deployment_id=deployment_id, anew=anew) as run:
        try:
            session.run(lambda client: work(client, run))
        except (ServerFault, StorageFull, TimedOut, Unavailable) as error:
            if not run.recorded:
                error.add_note(run.how_to_go_on())
            raise
        except KeyboardInterrupt:
            goes_on = f"the deployment goes on; {how_to_follow(run.deployment_id)}"
            interrupted(goes_on if run.recorded else run.how_to_go_on())
    followed.print_outcome()


def _project(session: Session, path: str, given: str | None) -> str | None:
    """The project that is given, else the payload's own, else the context's; None lets the library look."""
    if given or not session.chosen.project:
        return given
    from longshore_client.contents import project_named_in
    from longshore_client.errors import ProjectUnknown

    try:
        return project_named_in(Path(path)) if path != "-" else session.chosen.project
    except ProjectUnknown:
        return session.chosen.project


def _say_nothing(_line: str) -> None:
    pass
