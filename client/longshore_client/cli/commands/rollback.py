"""``longshore rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import following_options, make_and_follow, terms_of, terms_options
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
  longshore rollback web -e production --to 1.4.2""",
)
@click.argument("project", shell_complete=completing.projects)
@click.option("-e", "--environment", default="default", show_default=True, help="Where to go back.")
@click.option("--to", "version", metavar="VERSION", help="To this release.  [default: the previous one]")
@click.option(
    "--to-deployment",
    metavar="DEPLOYMENT",
    help="To what this deployment brought; its id or first characters.",
)
@terms_options
@following_options
@client_command
def rollback_command(
    session: Session,
    project: str,
    environment: str,
    version: str | None,
    to_deployment: str | None,
    expect_live: str | None,
    labels: tuple[str, ...],
    detach: bool,
    timeout: float | None,
) -> None:
    """Take PROJECT back to the release that was live before, or to a given one. No bytes are sent.

    While a rollout is unfinished, it ends that rollout and goes back to what is live.
    """
    from longshore_client.cli.identifying import whole_id

    if version and to_deployment:
        raise click.UsageError("--to and --to-deployment exclude each other")
    terms = terms_of(expect_live, labels)

    async def make(client: Client, deployment_id: str) -> Deployment | None:
        return await client.rollback(
            project,
            environment=environment,
            version=version,
            target_deployment_id=await whole_id(client, to_deployment) if to_deployment else None,
            terms=terms,
            deployment_id=deployment_id,
        )

    make_and_follow(
        session,
        make,
        what="rollback",
        nothing=f"nothing to do: {project} in {environment} is there already",
        detach=detach,
        timeout_s=timeout,
    )
