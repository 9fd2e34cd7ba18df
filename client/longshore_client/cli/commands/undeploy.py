"""``longshore undeploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import (
    confirm,
    following_options,
    is_detached,
    make_and_follow,
    queue_option,
    terms_of,
    terms_options,
    yes_option,
)
from longshore_client.cli.options import environment_option
from longshore_client.cli.rollouts import RolloutChoice, rollout_options
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "undeploy",
    short_help="Take a project off an environment's nodes.",
    epilog="""\b
Examples:
  longshore undeploy web -e staging
  longshore undeploy web --yes --at-once 1
  longshore rollback web     # brings back what was removed""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where to take it off.")
@yes_option
@queue_option
@terms_options
@rollout_options
@following_options
@client_command
def undeploy_command(
    session: Session,
    project: str | None,
    environment: str | None,
    yes: bool,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    skip_dependencies: bool,
    rollout: RolloutChoice,
    wait: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Take PROJECT, or the context's, off all nodes of an environment.

    Its history stays, and a rollback brings it back.
    """
    from longshore_client.cli.wording import safe

    terms = terms_of(expect_live, labels, rollout, queue=queue, skip_dependencies=skip_dependencies)
    name, where = session.project(project), session.environment(environment)
    question = f"Take {safe(name)} off the nodes of {safe(where)}?"
    confirm(question, yes=yes, otherwise="nothing was taken off")

    async def make(client: Client, deployment_id: str) -> Deployment | None:
        return await client.undeploy(name, environment=where, terms=terms, deployment_id=deployment_id)

    make_and_follow(
        session,
        make,
        what="undeploy",
        nothing=f"nothing to do: nothing of {name} is live in {where}",
        detach=is_detached(wait, detach=detach),
        timeout_s=timeout,
    )
