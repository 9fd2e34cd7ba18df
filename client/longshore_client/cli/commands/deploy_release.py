"""``longshore deploy-release``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import (
    following_options,
    make_and_follow,
    queue_option,
    terms_of,
    terms_options,
)
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "deploy-release",
    short_help="Make an existing release live in an environment.",
    epilog="""\b
Examples:
  longshore deploy-release web 1.4.2 -e production
  longshore deploy-release web@1.4.2 -e production --stage""",
)
@click.argument("project", shell_complete=completing.projects)
@click.argument("version", required=False, shell_complete=completing.versions)
@click.option("-e", "--environment", default="default", show_default=True, help="Where it goes live.")
@click.option("--stage", is_flag=True, help="Record it and wait for `longshore promote`.")
@queue_option
@terms_options
@following_options
@client_command
def deploy_release_command(
    session: Session,
    project: str,
    version: str | None,
    environment: str,
    stage: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    detach: bool,
    timeout: float | None,
) -> None:
    """Make PROJECT's release VERSION live in an environment, from staging to production, say.

    PROJECT@VERSION names it too. No bytes are sent: the nodes read what is stored.
    """
    if version is None:
        project, _, version = project.partition("@")
    if not version:
        raise click.UsageError("name the release: PROJECT VERSION, or PROJECT@VERSION")
    named = version
    terms = terms_of(expect_live, labels, queue=queue, stage=stage)

    async def make(client: Client, deployment_id: str) -> Deployment:
        return await client.deploy_release(
            project, named, environment=environment, terms=terms, deployment_id=deployment_id
        )

    make_and_follow(session, make, what="deployment", nothing="", detach=detach, timeout_s=timeout)
