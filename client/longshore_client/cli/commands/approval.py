"""``longshore approval``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.options import environment_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.catalog_models import Environment, ProjectEnvironment
    from longshore_client.client import Client


@click.command(
    "approval",
    short_help="Show or set whether a second person has to promote what is deployed.",
    epilog="""\b
Examples:
  longshore approval web -e production
  longshore approval web -e production --second-person
  longshore approval web -e production --anybody
  longshore approval --all -e production --second-person""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where.")
@click.option("--all", "of_all", is_flag=True, help="Every project there, also those to come.")
@click.option("--second-person", is_flag=True, help="Somebody else than whoever deployed has to promote.")
@click.option("--anybody", is_flag=True, help="What is deployed goes live by itself, unless it is staged.")
@client_command
def approval_command(
    session: Session,
    project: str | None,
    environment: str | None,
    of_all: bool,
    second_person: bool,
    anybody: bool,
) -> None:
    """Show whether what is deployed of PROJECT waits for a second person to promote it, or set that.

    Where all projects of an environment wait, each does, whatever is set for it. Rollbacks and undeploys wait
    for nobody. It means something only where the server knows who calls.
    """
    if second_person and anybody:
        raise click.UsageError("--second-person and --anybody exclude each other")
    if project is not None and of_all:
        raise click.UsageError("--all stands for every project: leave out PROJECT")
    where = session.environment(environment)
    required = second_person if second_person or anybody else None
    if of_all:
        _approval_of_all(session, where, required)
    else:
        _approval(session, session.project(project), where, required)


def _approval_of_all(session: Session, where: str, required: bool | None) -> None:
    async def work(client: Client) -> Environment:
        if required is not None:
            return await client.require_second_person_in(where, required)
        return await client.environment(where)

    shown = session.run(work)
    if shown.second_person:
        sentence = f"every project in {shown.environment} is promoted by a second person"
    else:
        sentence = f"in {shown.environment} it is each project's own setting who promotes it"
    session.printer.result(shown, sentence=sentence)


def _approval(session: Session, name: str, where: str, required: bool | None) -> None:
    from longshore_client.cli.identifying import place_of

    async def work(client: Client) -> ProjectEnvironment:
        if required is not None:
            return await client.require_second_person(name, required, environment=where)
        return await place_of(client, name, where)

    shown = session.run(work)
    who = "a second person" if shown.second_person or shown.environment_second_person else "anybody"
    whose = f", as every project in {shown.environment}" if shown.environment_second_person else ""
    session.printer.result(shown, sentence=f"{shown.project} is promoted by {who}{whose}")
