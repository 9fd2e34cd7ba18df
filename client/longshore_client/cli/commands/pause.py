"""``longshore pause`` and ``longshore resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import following_options, interrupted, is_detached
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment


@click.command(
    "pause",
    short_help="Pause a rollout.",
    epilog="""\b
Examples:
  longshore pause 5f0c31aa
  longshore pause 5f0c31aa --reason "errors on web-3\"""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later.")
@client_command
def pause_command(session: Session, deployment_id: str, reason: str) -> None:
    """Pause the rollout of DEPLOYMENT: nodes end what they were told, and nothing else is begun.

    `longshore resume` lets it go on; it may still be cancelled, or superseded by a more urgent one.
    """
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.rollout_words import paused_words
    from longshore_client.cli.wording import safe

    async def work(client: Client) -> Deployment:
        return await client.pause(await whole_id(client, deployment_id), reason=reason)

    d = session.run(work)
    what = f"{safe(d.project)} {safe(d.version)}".strip()
    go_on = f"go on with: longshore resume {safe(d.deployment_id)}"
    session.printer.result(d, sentence=f"{what} in {safe(d.environment)} is {paused_words(d)}; {go_on}")


@click.command(
    "resume",
    short_help="Let a paused rollout go on.",
    epilog="""\b
Examples:
  longshore list --status paused
  longshore resume 5f0c31aa
  longshore resume 5f0c31aa --detach""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@following_options
@client_command
def resume_command(
    session: Session, deployment_id: str, wait: str | None, detach: bool, timeout: float | None
) -> None:
    """Let the paused rollout of DEPLOYMENT go on, and follow it to its end or the next gate."""
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import Followed, how_to_follow

    followed = Followed(session, detach=is_detached(wait, detach=detach), timeout_s=timeout)

    async def work(client: Client) -> None:
        with session.display() as shown:
            resumed = await client.resume(await whole_id(client, deployment_id))
            await followed.to_end(client, resumed, shown, from_here=True)

    try:
        session.run(work)
    except KeyboardInterrupt:
        goes_on = "the deployment goes on" if followed.deployment else "it may have been resumed"
        interrupted(f"{goes_on}; {how_to_follow(deployment_id)}")
    followed.print_outcome()
