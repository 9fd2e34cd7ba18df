"""``longshore delete-payload``."""

from __future__ import annotations

import click

from longshore_client.cli import completing
from longshore_client.cli.making import check_askable, confirm, yes_option
from longshore_client.cli.session import Session, client_command


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
@yes_option
@client_command
def delete_payload_command(
    session: Session, project: str, version: str | None, force: bool, yes: bool
) -> None:
    """Delete the payload of PROJECT's release VERSION; PROJECT@VERSION names it too.

    The release stays in history. It can no longer be deployed, rolled back to or downloaded until its
    content is deployed again. What is live or on its way is never deleted.
    """
    from longshore_client.cli.wording import safe, size

    name, number = session.release(project, version)
    if not yes:
        _ask(session, name, number, force=force)
    deletion = session.run(lambda client: client.delete_payload(name, number, force=force))
    named = safe(f"{name} {number}")
    deleted = (
        f"the payload of {named} is deleted: {size(deletion.freed_size_bytes)} will be freed, "
        f"{size(deletion.shared_size_bytes)} are shared and stay"
    )
    if not deletion.freed_size_bytes and not deletion.shared_size_bytes:
        deleted = f"nothing to delete: no payload of {named} is stored"
    session.printer.result(deletion, sentence=deleted)


def _ask(session: Session, project: str, version: str, *, force: bool) -> None:
    """Show what would be deleted, and go on only when a person wants that."""
    from longshore_client.cli.wording import ago, safe, size

    check_askable()
    release = session.run(lambda client: client.release(project, version))
    if not release.payload_present:
        return
    click.echo(
        f"{safe(release.project)} {safe(release.version)}: {size(release.payload_size_bytes)}, "
        f"created {ago(release.create_time)} by {safe(release.created_by)}.\n"
        "Without its payload it cannot be deployed, rolled back to or downloaded"
        f"{', also where that is the way back now' if force else ''}.",
        err=True,
    )
    confirm("Delete the payload?", yes=False, otherwise="nothing was deleted")
