"""``longshore strategy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.options import environment_option
from longshore_client.cli.rollouts import RolloutChoice, rollout_options
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.catalog_models import ProjectEnvironment
    from longshore_client.cli.tables import Fact
    from longshore_client.client import Client


@click.command(
    "strategy",
    short_help="Show or set how rollouts go over the nodes of an environment.",
    epilog="""\b
Examples:
  longshore strategy web -e production
  longshore strategy web -e production --canary 1 --canary 10%:5m --at-once 25%
  longshore strategy web -e production --failure-domain zone --max-failed 1
  longshore strategy web -e staging --default""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where.")
@rollout_options
@click.option("--default", "to_default", is_flag=True, help="Back to all nodes at once, taken back.")
@client_command
def strategy_command(
    session: Session, project: str | None, environment: str | None, rollout: RolloutChoice, to_default: bool
) -> None:
    """Show how rollouts of PROJECT, or of the context's, go over an environment's nodes, or set that.

    For deployments that tell no strategy of their own. The options other than --on-failure make a whole new
    strategy: what is not given is no longer so.
    """
    from longshore_client.catalog_models import Default
    from longshore_client.cli.identifying import place_of

    if to_default and rollout != RolloutChoice():
        raise click.UsageError("--default and other options of a strategy exclude each other")
    name, where = session.project(project), session.environment(environment)

    async def work(client: Client) -> ProjectEnvironment:
        if to_default:
            return await client.set_rollout(
                name, environment=where, strategy=Default.SERVERS, failure_policy=Default.SERVERS
            )
        if rollout != RolloutChoice():
            return await client.set_rollout(
                name,
                environment=where,
                strategy=rollout.strategy,
                failure_policy=rollout.failure_policy,
            )
        return await place_of(client, name, where)

    shown = session.run(work)
    if session.printer.for_people:
        session.printer.facts(_facts(shown))
    else:
        session.printer.result(shown)


def _facts(shown: ProjectEnvironment) -> list[Fact]:
    from longshore_client.cli.rollout_words import policy_words, strategy_words
    from longshore_client.cli.tables import Fact
    from longshore_client.strategies import FailurePolicy, RolloutStrategy

    default = "" if shown.strategy else " (default)"
    policy_default = "" if shown.failure_policy else " (default)"
    return [
        Fact("project", shown.project),
        Fact("environment", shown.environment),
        Fact("strategy", f"{strategy_words(shown.strategy or RolloutStrategy())}{default}"),
        Fact(
            "on failure", f"{policy_words(shown.failure_policy or FailurePolicy.TAKE_BACK)}{policy_default}"
        ),
    ]
