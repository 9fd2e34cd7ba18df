"""``longshore retry``."""

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
from longshore_client.cli.rollouts import RolloutChoice, rollout_options
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "retry",
    short_help="Try again what ended without success.",
    epilog="""\b
Examples:
  longshore retry 5f0c31aa
  longshore retry 5f0c31aa --queue supersede
  longshore retry 5f0c31aa --canary 1:10m""",
)
@click.argument("deployment", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@queue_option
@terms_options
@rollout_options
@following_options
@client_command
def retry_command(
    session: Session,
    deployment: str,
    queue: str,
    expect_live: str | None,
    labels: tuple[str, ...],
    skip_dependencies: bool,
    rollout: RolloutChoice,
    wait: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Make a new deployment of what DEPLOYMENT, which failed or was cancelled or superseded, was to bring.

    Of a partial one too: nodes that have it do nothing. No bytes are sent. An upload that never was recorded
    is deployed again instead.
    """
    from longshore_client.cli.identifying import whole_id

    terms = terms_of(expect_live, labels, rollout, queue=queue, skip_dependencies=skip_dependencies)

    async def make(client: Client, deployment_id: str) -> Deployment:
        return await client.retry(
            await whole_id(client, deployment), terms=terms, deployment_id=deployment_id
        )

    detached = is_detached(wait, detach=detach)
    make_and_follow(session, make, what="retry", nothing="", detach=detached, timeout_s=timeout)
