"""``longshore projects`` and ``longshore releases``."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.options import limit_option
from longshore_client.cli.session import Session, client_command
from longshore_client.cli.wording import safe

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

    printer = session.printer

    async def list_all(client: Client) -> None:
        async with aclosing(client.projects()) as projects:
            await printer.rows(
                projects, PROJECT_COLUMNS, name=lambda each: each.project, nothing="no projects yet"
            )

    async def show_one(client: Client) -> None:
        overview = await client.project(project or "")
        if printer.for_programs:
            printer.print_object(overview)
        elif printer.quiet:
            for each in overview.environments:
                click.echo(safe(f"{each.environment} {each.live_version}"))
        elif not overview.environments:
            click.echo("live nowhere yet", err=True)
        else:
            printer.table(ENVIRONMENT_COLUMNS, overview.environments)

    session.run(show_one if project else list_all)


@click.command(
    "releases",
    short_help="List a project's releases, highest version first.",
    epilog="""\b
Examples:
  longshore releases web
  longshore releases web -n 1 -o json | jq -r .version""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@limit_option
@client_command
def releases_command(session: Session, project: str | None, limit: int) -> None:
    """List the releases of PROJECT, or of the context's, highest version first, and where each is live."""
    from longshore_client.cli.columns import release_columns
    from longshore_client.cli.printing import plain

    name = session.project(project)

    async def work(client: Client) -> None:
        live_in: dict[str, list[str]] = {}
        for each in (await client.project(name)).environments:
            live_in.setdefault(each.live_version, []).append(each.environment)
        async with aclosing(client.releases(name, limit=limit)) as releases:
            if not session.printer.for_programs:
                await session.printer.rows(
                    releases,
                    release_columns(live_in),
                    name=lambda each: each.version,
                    nothing="no releases yet",
                )
                return
            async for release in releases:
                session.printer.print_object({**plain(release), "live_in": live_in.get(release.version, [])})

    session.run(work)
