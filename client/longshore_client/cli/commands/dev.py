"""``longshore dev``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from longshore_client.cli import completing
from longshore_client.cli.making import skip_tests_option, yes_option
from longshore_client.cli.options import environment_option
from longshore_client.cli.paths import ExistingPath
from longshore_client.cli.session import Session, client_command


@click.command(
    "dev",
    short_help="Deploy a directory at every change, to try it while it is edited.",
    epilog="""\b
Examples:
  longshore dev .
  longshore dev ./netops -e default
  longshore dev ./web --project web --server dev-1:7420""",
)
@click.argument("directory", type=ExistingPath(file_okay=False))
@click.option(
    "-p",
    "--project",
    shell_complete=completing.projects,
    help="The project.  [default: the name in its manifest, else the context's]",
)
@environment_option("Where it goes live.")
@click.option(
    "--skip-dependencies",
    is_flag=True,
    help="Whatever is live beside it, and needs it, though manifests name what must be.",
)
@skip_tests_option
@yes_option
@client_command
def dev_command(
    session: Session,
    directory: str,
    project: str | None,
    environment: str | None,
    skip_dependencies: bool,
    skip_tests: bool,
    yes: bool,
) -> None:
    """Deploy DIRECTORY, and again whenever something in it changes, until Ctrl-C.

    It is checked first; with errors nothing is deployed. What .git holds, .longshoreignore names and editors
    leave does not count. Versions are of development, 1.4.0-dev.1, 1.4.0-dev.2 and so on on the way to 1.4.0
    in the manifest: in what is deployed, the directory is only read.

    A server that is not this machine must be named, with --server or --context. Where a release is live, you
    are asked first. A server that goes away is tried again until it is back.
    """
    from longshore_client.cli.developing import Development
    from longshore_client.cli.development_place import DevelopmentPlace
    from longshore_client.cli.wording import safe
    from longshore_client.terms import Terms

    place = DevelopmentPlace(session.chosen, session.environment(environment), yes)
    place.check_server()
    development = Development(
        session,
        Path(os.path.abspath(directory)),  # noqa: PTH100 (its own name counts)
        place,
        project=project,
        terms=Terms(skip_dependencies=skip_dependencies, skip_tests=skip_tests),
    )
    try:
        session.run(development.run)
    except KeyboardInterrupt:
        live = development.live
        told = f"; {live.project} {live.version} stays live in {live.environment}" if live else ""
        click.echo(f"stopped{safe(told)}", err=True)
