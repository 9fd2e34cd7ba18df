"""``longshore promote``."""

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
    "promote",
    short_help="Let a deployment that waits for a person go on.",
    epilog="""\b
Examples:
  longshore list --status staged
  longshore promote 5f0c31aa               # a staged one, or a canary to its next step
  longshore promote 5f0c31aa --gate 0d7b2f64-… --yes""",
)
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=completing.deployments)
@click.option(
    "--gate", metavar="GATE", help="Only past this gate.  [default: the one it waits at, after a question]"
)
@yes_option
@following_options
@client_command
def promote_command(
    session: Session,
    deployment_id: str,
    gate: str | None,
    yes: bool,
    wait: str | None,
    detach: bool,
    timeout: float | None,
) -> None:
    """Let DEPLOYMENT pass the gate that it waits at, and follow it to its end or the next gate.

    A staged one takes its place in the queue. A canary goes on to its next step; where it waits for a time,
    it goes on before that has come.
    """
    from longshore_client.cli.identifying import whole_id
    from longshore_client.cli.outcome import Followed, how_to_follow
    from longshore_client.cli.rollout_words import canary_words, is_at_canary_step, what_comes_words
    from longshore_client.cli.wording import ago, safe, words
    from longshore_client.errors import GateMismatch

    followed = Followed(session, detach=is_detached(wait, detach=detach), timeout_s=timeout)

    async def look(client: Client) -> Deployment:
        return await client.get(await whole_id(client, deployment_id))

    waiting = session.run(look)
    passed = gate or waiting.waiting_gate_id
    if not passed:
        raise GateMismatch(
            f"deployment {waiting.deployment_id} waits for nobody: it is {words(waiting.status)}"
        )
    what = f"{safe(waiting.project)} {safe(waiting.version)}, by {safe(waiting.deployed_by)} "
    where = safe(waiting.environment)
    question = f"{what}{ago(waiting.create_time)}: let it go live in {where}?"
    if is_at_canary_step(waiting):
        failed = f", {waiting.node_counts.failed} failed" if waiting.node_counts.failed else ""
        reached = f"{canary_words(waiting)}{failed}"
        question = f"{what}in {where}, {reached}: let it {what_comes_words(waiting)}?"
    confirm(question, yes=yes, otherwise="it waits on")

    async def work(client: Client) -> None:
        with session.display() as shown:
            promoted = await client.promote(waiting.deployment_id, passed)
            await followed.to_end(client, promoted, shown, from_here=True)

    try:
        session.run(work)
    except KeyboardInterrupt:
        goes_on = "the deployment goes on" if followed.deployment else "it may have been promoted"
        interrupted(f"{goes_on}; {how_to_follow(waiting.deployment_id)}")
    followed.print_outcome()
