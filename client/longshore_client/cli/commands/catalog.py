"""``longshore projects`` and ``longshore releases``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from longshore_client.cli import completing
from longshore_client.cli.options import Limit, limit_option
from longshore_client.cli.session import Session, client_command
from longshore_client.cli.wording import safe

if TYPE_CHECKING:
    from longshore_client.catalog_models import Release
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
    from longshore_client.cli.bundle_words import project_facts
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
            return
        if printer.quiet:
            for each in overview.environments:
                click.echo(safe(f"{each.environment} {each.live_version}"))
            return
        printer.facts(project_facts(overview.project))
        click.echo()
        if overview.environments:
            printer.table(ENVIRONMENT_COLUMNS, overview.environments)
        else:
            click.echo("live nowhere yet", err=True)

    session.run(show_one if project else list_all)


@click.command(
    "releases",
    short_help="List a project's releases, or show one.",
    epilog="""\b
Examples:
  longshore releases web
  longshore releases web 1.4.2
  longshore releases web@1.4.2 -o json | jq .bundle.dependencies
  longshore releases web -n 1 -o json | jq -r .version""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@click.argument("version", required=False, shell_complete=completing.versions)
@limit_option
@client_command
def releases_command(session: Session, project: str | None, version: str | None, limit: Limit) -> None:
    """List the releases of PROJECT, or of the context's, highest version first, and where each is live.

    With VERSION, or as PROJECT@VERSION: show that one, with what its manifest says and where it came from.
    """
    from longshore_client.cli.bundle_words import release_facts
    from longshore_client.cli.columns import release_columns
    from longshore_client.cli.first_rows import first_rows
    from longshore_client.cli.printing import plain

    printer = session.printer
    wants_one = version is not None or "@" in (project or "")
    name, number = session.release(project, version) if wants_one else (session.project(project), "")

    def plain_release(release: Release, live_in: Sequence[str]) -> dict[str, Any]:
        return {**plain(release), "live_in": live_in}

    async def show_one(client: Client) -> None:
        live_in = (await _live_in(client, name)).get(number, [])
        release = await client.release(name, number)
        if printer.for_people:
            printer.facts(release_facts(release, live_in))
        else:
            printer.result(plain_release(release, live_in), name=release.version)

    async def list_all(client: Client) -> None:
        live_in = await _live_in(client, name)
        async with first_rows(lambda most: client.releases(name, limit=most), limit, printer) as releases:
            if printer.for_programs:
                async for release in releases:
                    printer.print_object(plain_release(release, live_in.get(release.version, [])))
                return
            await printer.rows(
                releases,
                release_columns(live_in),
                name=lambda each: each.version,
                nothing="no releases yet",
            )

    session.run(show_one if wants_one else list_all)


async def _live_in(client: Client, project: str) -> dict[str, list[str]]:
    """The environments in which each version of a project is live."""
    live_in: dict[str, list[str]] = {}
    for each in (await client.project(project)).environments:
        live_in.setdefault(each.live_version, []).append(each.environment)
    return live_in
