"""``longshore cordon``, ``drain``, ``uncordon`` and ``remove-node``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.making import confirm, yes_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.catalog_models import Node
    from longshore_client.client import Client


@click.command(
    "cordon",
    short_help="Let no rollout cover a node.",
    epilog="""\b
Examples:
  longshore cordon web-3 --reason "new disk on Tuesday"
  longshore uncordon web-3""",
)
@click.argument("node", shell_complete=completing.nodes)
@click.option("--reason", required=True, metavar="TEXT", help="Why; whoever looks at the nodes reads it.")
@client_command
def cordon_command(session: Session, node: str, reason: str) -> None:
    """Let no rollout cover NODE until `longshore uncordon`; what it has stays live."""
    if not reason.strip():
        raise click.UsageError("--reason must say something")
    _cordon(session, node, reason)


@click.command(
    "drain",
    short_help="Cordon a node, and have it take and drive nothing any more.",
    epilog="""\b
Examples:
  longshore drain web-3 --reason "kernel update" --wait
  longshore uncordon web-3""",
)
@click.argument("node", shell_complete=completing.nodes)
@click.option("--reason", required=True, metavar="TEXT", help="Why; whoever looks at the nodes reads it.")
@click.option("--wait", is_flag=True, help="Return when nothing is left that it takes or drives.")
@client_command
def drain_command(session: Session, node: str, reason: str, wait: bool) -> None:
    """Have NODE take no uploads and drive no rollouts until `longshore uncordon`, and let none cover it.

    Running uploads end, rollouts are handed over; where no other node drives rollouts, it ends its own. What
    it has stays live. Then it can be stopped.
    """
    from longshore_client.cli.columns import node_words
    from longshore_client.cli.wording import safe
    from longshore_client.errors import StatusConflict

    if not reason.strip():
        raise click.UsageError("--reason must say something")

    async def work(client: Client) -> Node:
        drained = await client.drain(node, reason)
        if not wait:
            return drained
        if not drained.alive:
            click.echo(f"{safe(node)} is away: waiting until it is back and tells", err=True)
        told = ""

        def tell(waited_for: Node) -> None:
            nonlocal told
            words = f"{safe(node)} is {node_words(waited_for)}"
            if words != told:
                click.echo(words, err=True)
            told = words

        return await client.drained(node, tell)

    drained = session.run(work)
    sentence = f"{drained.node_name} is {node_words(drained)}"
    if wait and not drained.draining:
        raise StatusConflict(f"{drained.node_name} is not drained any more: somebody lifted it")
    session.printer.result(drained, sentence=safe(sentence))


@click.command(
    "uncordon",
    short_help="Let rollouts cover a node again.",
    epilog="""\b
Examples:
  longshore uncordon web-3""",
)
@click.argument("node", shell_complete=completing.nodes)
@client_command
def uncordon_command(session: Session, node: str) -> None:
    """Let rollouts cover NODE again, and end its drain; it catches up with what is live by itself."""
    _cordon(session, node, "")


@click.command(
    "remove-node",
    short_help="Forget a node that is gone for good.",
    epilog="""\b
Examples:
  longshore remove-node web-3
  longshore remove-node web-3 --yes""",
)
@click.argument("node", shell_complete=completing.nodes)
@yes_option
@client_command
def remove_node_command(session: Session, node: str, yes: bool) -> None:
    """Forget NODE, so that no rollout waits for it. One that runs is refused: stop it, or cordon it.

    Started again, it registers as the same node and catches up with what is live.
    """
    from longshore_client.cli.results import RemovedNode
    from longshore_client.cli.wording import safe

    confirm(f"Forget node {safe(node)}?", yes=yes, otherwise="nothing was changed")
    was_registered = session.run(lambda client: client.remove_node(node))
    told = "is forgotten" if was_registered else "is not registered: see `longshore nodes`"
    session.printer.result(RemovedNode(node, was_registered), sentence=f"node {safe(node)} {told}")


def _cordon(session: Session, node: str, reason: str) -> None:
    from longshore_client.cli.wording import safe

    changed = session.run(lambda client: client.cordon(node, reason))
    how = (
        f"cordoned by {changed.cordoned_by}: {changed.cordon_reason}"
        if changed.cordon_reason
        else "not cordoned"
    )
    session.printer.result(changed, sentence=safe(f"{changed.node_name} is {how}"))
