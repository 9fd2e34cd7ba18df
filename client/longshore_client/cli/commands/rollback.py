"""``longshore rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import (
    following_options,
    is_detached,
    make_and_follow,
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
    "rollback",
    short_help="Go back to the previous release, or to a given one.",
    epilog="""\b
Examples:
  longshore rollback web
  longshore rollback web -e production --to 1.4.2
  longshore rollback web --at-once all     # whatever is set for the project""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where to go back.")
@click.option(
    "--to",
    "version",
    metavar="VERSION",
    shell_complete=completing.versions,
    help="To this release.  [default: the previous one]",
)
@click.option(
    "--to-deployment",
    metavar="DEPLOYMENT",
    shell_complete=completing.deployments,
    help="To what this deployment brought; its id or first characters.",
)
@terms_options
@rollout_options
@following_options
@client_command
def rollback_command(
    session: Session,
    project: str | None,
    environment: str | None,
    version: str | None,
    to_deployment: str | None,
    expect_live: str | None,
    labels: tuple[str, ...],
    skip_dependencies: bool,
    rollout: RolloutChoice,
    wait: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Take PROJECT back to the release that was live before, or to a given one. No bytes are sent.

    While a rollout is unfinished, it ends that rollout and goes back to what is live. Without PROJECT the
    context's is meant.
    """
    from longshore_client.cli.identifying import whole_id

    if version and to_deployment:
        raise click.UsageError("--to and --to-deployment exclude each other")
    terms = terms_of(expect_live, labels, rollout, skip_dependencies=skip_dependencies)
    name, where = session.project(project), session.environment(environment)

    async def make(client: Client, deployment_id: str) -> Deployment | None:
        return await client.rollback(
            name,
            environment=where,
            version=version,
            target_deployment_id=await whole_id(client, to_deployment) if to_deployment else None,
            terms=terms,
            deployment_id=deployment_id,
        )

    make_and_follow(
        session,
        make,
        what="rollback",
        nothing=f"nothing to do: {name} in {where} is there already",
        detach=is_detached(wait, detach=detach),
        timeout_s=timeout,
    )
