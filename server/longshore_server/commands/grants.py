"""``longshore admin grants``: what a database role needs for a node that may do little."""

from __future__ import annotations

import click

from longshore_storage.catalogue.grants import install_grants


@click.command(epilog="Example: longshore admin grants edge --node edge-1 | psql longshore")
@click.argument("role")
@click.option(
    "--node",
    default="",
    metavar="NAME",
    help="The only node that uses the role: it may write what is this node's, and not what is another's.",
)
def grants(role: str, node: str) -> None:
    """Print the SQL that lets ROLE be used by a node that only installs.

    For PostgreSQL, run by whoever owns the tables. The role is there already, and may connect. Run it again
    after every upgrade. Without --node whoever has the role could have other nodes install what he likes.
    """
    for statement in install_grants(role, node=node):
        click.echo(statement)
