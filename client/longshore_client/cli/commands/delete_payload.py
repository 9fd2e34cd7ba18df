"""``longshore delete-payload``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.failing import INTERRUPTED
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.catalog_models import Release


@click.command(
    "delete-payload",
    short_help="Delete a release's payload, to free its space.",
    epilog="""\b
Examples:
  longshore delete-payload web 1.4.2
  longshore delete-payload web@1.4.2 --yes
  longshore delete-payload web 1.4.2 --force --yes -o json""",
)
@click.argument("project", metavar="PROJECT", shell_complete=completing.projects)
@click.argument("version", metavar="VERSION", required=False, shell_complete=completing.versions)
@click.option("--force", is_flag=True, help="Also when an environment could be rolled back to it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@client_command
def delete_payload_command(
    session: Session, project: str, version: str | None, force: bool, yes: bool
) -> None:
    """Delete the payload of PROJECT's release VERSION; PROJECT@VERSION names it too.

    The release stays in history. It can no longer be deployed, rolled back to or downloaded until its
    content is deployed again. What is live or on its way is never deleted.
    """
    from longshore_client.cli.printing import print_object
    from longshore_client.cli.wording import safe, size

    if version is None:
        project, _, version = project.partition("@")
    if not version:
        raise click.UsageError("name the release: PROJECT VERSION, or PROJECT@VERSION")
    name = safe(f"{project} {version}")
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here: confirm with --yes")
        release = session.run(lambda client: client.release(project, version))
        if release.payload_present and not _confirmed(release, force=force):
            click.echo("nothing was deleted", err=True)
            click.get_current_context().exit(INTERRUPTED)
    deletion = session.run(lambda client: client.delete_payload(project, version, force=force))
    if not session.for_people:
        print_object(deletion, session.output)
    elif not deletion.freed_size_bytes and not deletion.shared_size_bytes:
        click.echo(f"nothing to delete: no payload of {name} is stored")
    else:
        click.echo(
            f"the payload of {name} is deleted: {size(deletion.freed_size_bytes)} will be freed, "
            f"{size(deletion.shared_size_bytes)} are shared and stay"
        )


def _confirmed(release: Release, *, force: bool) -> bool:
    from longshore_client.cli.wording import ago, safe, size

    click.echo(
        f"{safe(release.project)} {safe(release.version)}: {size(release.payload_size_bytes)}, "
        f"created {ago(release.create_time)} by {safe(release.created_by)}.\n"
        "Without its payload it cannot be deployed, rolled back to or downloaded"
        f"{', also where that is the way back now' if force else ''}.",
        err=True,
    )
    try:
        return click.confirm("Delete the payload?", err=True)
    except click.Abort:
        click.echo(err=True)
        return False
