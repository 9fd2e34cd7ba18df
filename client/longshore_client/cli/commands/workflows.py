"""``longshore workflows``: what packs publish, looked at and registered again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli import completing
from longshore_client.cli.commands.workflows_checked import diff_command, validate_command
from longshore_client.cli.making import confirm, yes_option
from longshore_client.cli.options import Limit, environment_option, limit_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from longshore_client.client import Client
    from longshore_client.workflow_models import Workflow


@click.group(
    "workflows",
    short_help="List, show, check and compare the workflows of packs.",
    epilog="""\b
Examples:
  longshore workflows list -e production
  longshore workflows get netops.restart
  longshore workflows validate ./netops
  longshore workflows diff netops 1.4.0 1.5.0""",
)
def workflows_command() -> None:
    """See to the workflows of packs. Longshore validates, versions and publishes them; it runs none.

    Live are those of the releases that are live: a deployment registers them, a rollback brings the old ones
    back.
    """


workflows_command.add_command(validate_command)
workflows_command.add_command(diff_command)


@workflows_command.command(
    "list",
    short_help="List the workflows that are live, or a release's.",
    epilog="""\b
Examples:
  longshore workflows list
  longshore workflows list netops -e production
  longshore workflows list netops --version 1.4.0 --all
  longshore workflows list -o json | jq -r 'select(.enabled) | .ref'""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Of what is live there.")
@click.option("--version", shell_complete=completing.versions, help="Of this release of PROJECT instead.")
@click.option("-a", "--all", "all_", is_flag=True, help="Also those that are not valid.")
@limit_option
@client_command
def list_workflows(
    session: Session,
    project: str | None,
    environment: str | None,
    version: str | None,
    all_: bool,
    limit: Limit,
) -> None:
    """List workflows by project and name: of one PROJECT, or of all."""
    from longshore_client.cli.first_rows import first_rows
    from longshore_client.cli.workflow_words import WORKFLOW_COLUMNS

    where = _where(session, environment, version)
    if version:
        project = session.project(project)

    async def work(client: Client) -> None:
        def read(most: int | None) -> AsyncGenerator[Workflow, None]:
            return client.list_workflows(
                project=project, environment=where, version=version, include_unregistered=all_, limit=most
            )

        async with first_rows(read, limit, session.printer) as found:
            await session.printer.rows(
                found, WORKFLOW_COLUMNS, name=lambda each: each.ref, nothing="no workflows"
            )

    session.run(work)


@workflows_command.command(
    "get",
    short_help="Show one workflow.",
    epilog="""\b
Examples:
  longshore workflows get netops.restart
  longshore workflows get netops.restart -e production -o json | jq .definition.tasks
  longshore workflows get netops.restart --version 1.4.0 --source > restart.yaml""",
)
@click.argument("ref", metavar="PACK.NAME", shell_complete=completing.workflows)
@environment_option("Of what is live there.")
@click.option("--version", help="Of this release instead.")
@click.option("--source", "as_written", is_flag=True, help="Print its file as it is written.")
@client_command
def get_workflow(
    session: Session, ref: str, environment: str | None, version: str | None, as_written: bool
) -> None:
    """Show the workflow PACK.NAME: what it says of itself, and its tasks."""
    from longshore_client.cli.printing import plain

    printer = session.printer
    project, _, name = ref.partition(".")
    if not name:
        raise click.UsageError(
            f"{ref} names no workflow: write PACK.NAME, as `longshore workflows list` does"
        )
    if as_written and not printer.for_people:
        raise click.UsageError("--source prints the file as it is: leave --output and --quiet out")
    where = _where(session, environment, version)
    found = session.run(lambda client: client.get_workflow(project, name, environment=where, version=version))
    if as_written:
        from longshore_client.cli.raw_output import write_raw

        write_raw(found.source)
    elif printer.for_people:
        from longshore_client.cli.workflow_words import show_workflow

        show_workflow(printer, found)
    else:
        written = found.source.decode(errors="replace")
        shown = {**plain(found.workflow), "source": written, "definition": found.definition}
        printer.result(shown, name=found.workflow.version)


@workflows_command.command(
    "count",
    short_help="Count the workflows that are live.",
    epilog="""\b
Examples:
  longshore workflows count
  longshore workflows count netops -e production -o json""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Of what is live there.")
@client_command
def count_workflows(session: Session, project: str | None, environment: str | None) -> None:
    """Count the workflows that are live in an environment: of one PROJECT, or of all.

    --quiet prints how many are registered.
    """
    from longshore_client.cli.wording import count

    where = session.environment(environment)
    counts = session.run(lambda client: client.count_workflows(project=project, environment=where))
    invalid = f"; {counts.unregistered} more not valid" if counts.unregistered else ""
    told = f"{count(counts.registered, 'workflow')} live in {where}, {counts.enabled} enabled{invalid}"
    session.printer.result(counts, sentence=told, name=str(counts.registered))


@workflows_command.command(
    "sync",
    short_help="Read the files of releases again, and register their workflows.",
    epilog="""\b
Examples:
  longshore workflows sync
  longshore workflows sync netops
  longshore workflows sync netops --version 1.4.0""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@click.option(
    "--version",
    shell_complete=completing.versions,
    help="Of this release of PROJECT.  [default: of those that are live anywhere]",
)
@client_command
def sync_workflows(session: Session, project: str | None, version: str | None) -> None:
    """Register the workflows of stored releases anew: of one PROJECT, or of all.

    A deployment registers its own; this is for what was deleted, or when a newer server reads files
    otherwise. Again, it changes nothing. It ends with 4 when errors were found; what has none is registered
    all the same.
    """
    from longshore_client.cli.exit_codes import REFUSED
    from longshore_client.cli.workflow_words import show_sync

    if version:
        project = session.project(project)
    found = session.run(lambda client: client.sync_workflows(project=project, version=version))
    show_sync(session.printer, found)
    if found.total_errors:
        click.get_current_context().exit(REFUSED)


@workflows_command.command(
    "delete",
    short_help="Unregister a project's workflows.",
    epilog="""\b
Examples:
  longshore workflows delete netops
  longshore workflows delete netops --yes
  longshore workflows sync netops     # brings them back""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@yes_option
@client_command
def delete_workflows(session: Session, project: str | None, yes: bool) -> None:
    """Unregister the workflows of all releases of PROJECT, or of the context's.

    The releases stay as they are, and live where they are.
    """
    from longshore_client.cli.wording import count
    from longshore_client.cli.workflow_results import DeletedWorkflows

    name = session.project(project)
    confirm(
        f"Unregister the workflows of all releases of {name}?", yes=yes, otherwise="nothing was unregistered"
    )
    deleted = session.run(lambda client: client.delete_workflows(name))
    told = f"{count(deleted, 'workflow')} of all releases of {name} unregistered, also what was not valid"
    told = told if deleted else "there was none"
    session.printer.result(DeletedWorkflows(name, deleted), sentence=told, name=str(deleted))


def _where(session: Session, environment: str | None, version: str | None) -> str | None:
    """The environment that is meant, None where a release is. Raises ``click.UsageError``."""
    if version and environment:
        raise click.UsageError("--version and --environment exclude each other")
    return None if version else session.environment(environment)
