"""``longshore verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.numbers import Seconds
from longshore_client.cli.options import environment_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.verification_models import Verification


@click.command(
    "verify",
    short_help="Compare what nodes have live with its release, and repair it.",
    epilog="""\b
Examples:
  longshore verify web -e production
  longshore verify web --repair
  longshore verify web -o json | jq '.nodes[] | select(.status == "differs")'""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("On the nodes of this environment.")
@click.option("--repair", is_flag=True, help="Where it differs, build it again and make that live.")
@click.option(
    "--timeout",
    "timeout_s",
    type=Seconds(),
    metavar="SECONDS",
    default=600,
    show_default=True,
    help="How long to wait for nodes at most; they go on without us.",
)
@client_command
def verify_command(
    session: Session, project: str | None, environment: str | None, repair: bool, timeout_s: float
) -> None:
    """Compare, on each node, what is live of PROJECT with its release, byte for byte.

    Every file that is changed, missing or extra is named. Ends with 0 where all nodes have what they should,
    after a repair too, and with 4 where one has not. Nodes that are away look when they are back. Without
    PROJECT the context's is meant.
    """
    import asyncio

    from longshore_client.cli.exit_codes import REFUSED
    from longshore_client.cli.verifying import Waiting, print_verification
    from longshore_client.errors import TimedOut

    name, where = session.project(project), session.environment(environment)
    waiting = Waiting()

    async def work(client: Client) -> Verification:
        asked = await client.verify(name, environment=where, repair=repair)
        with session.display() as shown:
            waiting.shown = shown
            waiting.told(asked)
            try:
                async with asyncio.timeout(timeout_s):
                    return await client.verified(asked.verification_id, on_change=waiting.told)
            except TimeoutError:
                return await client.verification(asked.verification_id)

    verification = session.run(work)
    print_verification(session.printer, verification)
    if any(node.has_ended and not node.status.is_good for node in verification.nodes):
        click.get_current_context().exit(REFUSED)
    if not verification.has_ended:
        raise TimedOut(f"not every node has told within {timeout_s:g} s; they go on without us")
