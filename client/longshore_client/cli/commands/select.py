"""``longshore select``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import labels_of
from longshore_client.cli.options import environment_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.catalog_models import ProjectEnvironment
    from longshore_client.client import Client


@click.command(
    "select",
    short_help="Show or set which nodes of an environment a project goes to.",
    epilog="""\b
Examples:
  longshore select web -e production
  longshore select web -e production --node-label zone=eu --node-label disk=ssd
  longshore select web -e production --every-node""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where.")
@click.option(
    "--node-label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="A label that a node must have; repeatable, all of them count.",
)
@click.option("--every-node", is_flag=True, help="Every node of the environment.")
@client_command
def select_command(
    session: Session,
    project: str | None,
    environment: str | None,
    labels: tuple[str, ...],
    every_node: bool,
) -> None:
    """Show which nodes of an environment PROJECT, or the context's, goes to, or set that by their labels.

    Nodes that match get what is live by themselves, others have it taken off; labels are the nodes' own
    (`node.labels` in their settings). What rolls out just now ends first.
    """
    from longshore_client.cli.identifying import place_of
    from longshore_client.cli.wording import labels_words

    if labels and every_node:
        raise click.UsageError("--node-label and --every-node exclude each other")
    name, where = session.project(project), session.environment(environment)
    chosen = labels_of(labels, option="--node-label")

    async def work(client: Client) -> ProjectEnvironment:
        if chosen or every_node:
            return await client.select_nodes(name, chosen, environment=where)
        return await place_of(client, name, where)

    shown = session.run(work)
    nodes = f"nodes with {labels_words(shown.node_selector)}" if shown.node_selector else "every node"
    session.printer.result(shown, sentence=f"{shown.project} goes to {nodes} of {shown.environment}")
