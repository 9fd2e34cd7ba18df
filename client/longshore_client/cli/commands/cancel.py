"""``longshore cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import confirm, following_options, interrupted, is_detached, yes_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "cancel",
    short_help="Cancel a deployment that has not ended.",
    epilog="""\b
Examples:
  longshore cancel 5f0c31aa
  longshore cancel 5f0c31aa --yes --reason "wrong branch\"""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later.")
@yes_option
@following_options
@client_command
def cancel_command(
    session: Session,
    deployment_id: str,
    reason: str,
    yes: bool,
    wait: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Cancel DEPLOYMENT. Nodes that it has reached go back to what is live; an upload of it is dropped.

    With `--on-failure keep` they were to stay as they are, and do.
    """
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import follow_to_end, how_to_follow, outcome_of_cancelling
    from longshore_client.cli.wording import safe, words

    detached = is_detached(wait, detach=detach)

    async def look(client: Client) -> Deployment:
        return await client.get(await whole_id(client, deployment_id))

    found = session.run(look)
    name = safe(f"{found.project} {found.version}".strip())
    question = f"{name} in {safe(found.environment)} is {words(found.status)}: cancel it?"
    if not found.status.terminal:
        confirm(question, yes=yes, otherwise="nothing was cancelled")

    async def work(client: Client) -> Deployment:
        with session.display() as shown:
            cancelled = await client.cancel(found.deployment_id, reason=reason)
            if detached or cancelled.status.terminal:
                return cancelled
            return await follow_to_end(client, cancelled.deployment_id, shown, timeout_s=timeout)

    try:
        cancelled = session.run(work)
    except KeyboardInterrupt:
        interrupted(f"it is being cancelled; {how_to_follow(found.deployment_id)}")
    outcome_of_cancelling(session, cancelled)
