"""``longshore deploy-release``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import (
    following_options,
    is_detached,
    make_and_follow,
    queue_option,
    terms_of,
    terms_options,
)
from longshore_client.cli.options import environment_option
from longshore_client.cli.rollouts import RolloutChoice, rollout_options
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
  longshore deploy-release web@1.4.2 -e production --stage
  longshore deploy-release web 1.4.2 -e production --canary 1 --at-once 2""",
)
@click.argument("project", shell_complete=completing.projects)
@click.argument("version", required=False, shell_complete=completing.versions)
@environment_option("Where it goes live.")
@click.option("--stage", is_flag=True, help="Record it and wait for `longshore promote`.")
@queue_option
@terms_options
@rollout_options
@following_options
@client_command
def deploy_release_command(
    session: Session,
    project: str,
    version: str | None,
    environment: str | None,
    stage: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    skip_dependencies: bool,
    rollout: RolloutChoice,
    wait: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Make PROJECT's release VERSION live in an environment, from staging to production, say.

    PROJECT@VERSION names it too, and @VERSION one of the context's project. No bytes are sent: the nodes
    read what is stored.
    """
    name, number = session.release(project, version)
    where = session.environment(environment)
    terms = terms_of(
        expect_live, labels, rollout, queue=queue, stage=stage, skip_dependencies=skip_dependencies
    )

    async def make(client: Client, deployment_id: str) -> Deployment:
        return await client.deploy_release(
            name, number, environment=where, terms=terms, deployment_id=deployment_id
        )

    detached = is_detached(wait, detach=detach)
    make_and_follow(session, make, what="deployment", nothing="", detach=detached, timeout_s=timeout)
