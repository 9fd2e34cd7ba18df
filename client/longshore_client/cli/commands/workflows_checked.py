"""``longshore workflows validate`` and ``diff``: workflows held against the rules, and against each other."""

from __future__ import annotations

import os
from pathlib import Path

import click

from longshore_client.cli import completing
from longshore_client.cli.session import Session, client_command


@click.command(
    "validate",
    short_help="Let a server validate the workflows of a pack or a release.",
    epilog="""\b
Examples:
  longshore workflows validate ./netops
  longshore workflows validate netops@1.4.0
  longshore workflows validate netops@1.4.0 -o json | jq '.workflows[].findings[].message'""",
)
@click.argument("target", metavar="PATH|PROJECT@VERSION")
@client_command
def validate_command(session: Session, target: str) -> None:
    """Hold workflows against the rules of the server: those of a stored release, or of a pack at PATH.

    Nothing is stored or changed. It ends with 4 when errors are found. To look at all of a pack without a
    server there is `longshore validate`.
    """
    from longshore_client.cli.exit_codes import REFUSED
    from longshore_client.cli.workflow_words import show_validation
    from longshore_client.contents import pack_contents
    from longshore_client.source_errors import SourceNotFound

    if os.path.exists(target):  # noqa: PTH110 (no text is an error)
        own = pack_contents(Path(target))
        found = session.run(
            lambda client: client.validate_workflow_files(
                own.files, pack=own.pack, actions=own.actions, is_stackstorm=own.is_stackstorm
            )
        )
    else:
        project, _, version = target.partition("@")
        if not version:
            raise SourceNotFound(f"{target} does not exist, and is no release: write PROJECT@VERSION")
        name = session.project(project)
        found = session.run(lambda client: client.validate_workflows(name, version))
    show_validation(session.printer, found)
    if found.error_count:
        click.get_current_context().exit(REFUSED)


@click.command(
    "diff",
    short_help="Compare the workflows of two releases.",
    epilog="""\b
Examples:
  longshore workflows diff netops 1.4.0 1.5.0
  longshore workflows diff netops 1.4.0 1.5.0 -o json | jq -r '.removed[]'""",
)
@click.argument("project", shell_complete=completing.projects)
@click.argument("old", metavar="VERSION", shell_complete=completing.versions)
@click.argument("new", metavar="VERSION", shell_complete=completing.versions)
@client_command
def diff_command(session: Session, project: str, old: str, new: str) -> None:
    """Tell what differs between the workflows of two releases of PROJECT, the older one first.

    `+` is only in the second, `-` only in the first, `~` is in both and not the same. --quiet prints the
    references of all of these. It ends with 4 where those of one were unregistered.
    """
    from longshore_client.cli.wording import safe
    from longshore_client.cli.workflow_diff import difference_lines, print_difference, workflow_differences

    found = session.run(lambda client: workflow_differences(client, project, old, new))
    printer = session.printer
    if printer.for_programs:
        printer.print_object(found)
        return
    refs = [*found.added, *found.removed, *(each.ref for each in found.changed)]
    if not refs and not printer.quiet:
        click.echo(f"the workflows of {safe(f'{project} {old} and {new}')} are the same", err=True)
    if printer.quiet:
        for ref in refs:
            click.echo(safe(ref))
        return
    for line in difference_lines(found):
        print_difference(line, width=printer.width)
