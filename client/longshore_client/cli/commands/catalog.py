"""``longshore projects`` and ``longshore releases``."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.client import Client


@click.command(
    "projects",
    short_help="List projects, or show what one has live where.",
    epilog="""\b
Examples:
  longshore projects
  longshore projects web""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@client_command
def projects_command(session: Session, project: str | None) -> None:
    """List projects by name; or show what PROJECT has live in each environment."""
    from longshore_client.cli.columns import ENVIRONMENT_COLUMNS, PROJECT_COLUMNS
    from longshore_client.cli.printing import print_object
    from longshore_client.cli.tables import draw

    async def list_all(client: Client) -> None:
        async with aclosing(client.projects()) as projects:
            await session.print_rows(projects, PROJECT_COLUMNS, nothing="no projects yet")

    async def show_one(client: Client) -> None:
        overview = await client.project(project or "")
        if not session.for_people:
            print_object(overview, session.output)
        elif not overview.environments:
            click.echo("live nowhere yet", err=True)
        else:
            for line in draw(ENVIRONMENT_COLUMNS, overview.environments, width=session.width):
                click.echo(line)

    session.run(show_one if project else list_all)


@click.command(
    "releases",
    short_help="List a project's releases, highest version first.",
    epilog="""\b
Examples:
  longshore releases web
  longshore releases web -n 1 -o json | jq -r .version""",
)
@click.argument("project", shell_complete=completing.projects)
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most."
)
@client_command
def releases_command(session: Session, project: str, limit: int) -> None:
    """List the releases of PROJECT, highest version first, and where each is live."""
    from longshore_client.cli.columns import release_columns
    from longshore_client.cli.printing import plain, print_object

    async def work(client: Client) -> None:
        live_in: dict[str, list[str]] = {}
        for each in (await client.project(project)).environments:
            live_in.setdefault(each.live_version, []).append(each.environment)
        async with aclosing(client.releases(project, limit=limit)) as releases:
            if session.for_people:
                await session.print_rows(releases, release_columns(live_in), nothing="no releases yet")
                return
            async for release in releases:
                print_object({**plain(release), "live_in": live_in.get(release.version, [])}, session.output)

    session.run(work)
