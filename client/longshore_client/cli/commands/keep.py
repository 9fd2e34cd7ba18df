"""``longshore keep``."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from longshore_client.cli import completing
from longshore_client.cli.moments import SIZE, SPAN, Unless
from longshore_client.cli.numbers import Count
from longshore_client.cli.options import environment_option
from longshore_client.cli.session import Session, client_command

if TYPE_CHECKING:
    from longshore_client.catalog_models import ProjectEnvironment
    from longshore_client.client import Client

_UNLIMITED, _DEFAULT = "unlimited", "default"
_COUNT: Final = Count(1)


@click.command(
    "keep",
    short_help="Show or set how long payloads are kept for an environment.",
    epilog="""\b
Examples:
  longshore keep web -e production
  longshore keep web -e production --releases 20 --age 90d --size 50GB
  longshore keep web -e staging --age unlimited --rollback-targets default""",
)
@click.argument("project", required=False, shell_complete=completing.projects)
@environment_option("Where.")
@click.option("--releases", type=Unless(_COUNT, _UNLIMITED, _DEFAULT), help="So many of the newest releases.")
@click.option("--age", type=Unless(SPAN, _UNLIMITED, _DEFAULT), help="Those that are younger, like 30d.")
@click.option("--size", type=Unless(SIZE, _UNLIMITED, _DEFAULT), help="As many as fit, like 50GB.")
@click.option(
    "--rollback-targets",
    type=Unless(Count(0), _DEFAULT),
    help="So many of what was live before, whatever else is said.",
)
@client_command
def keep_command(
    session: Session,
    project: str | None,
    environment: str | None,
    releases: int | str | None,
    age: timedelta | str | None,
    size: int | str | None,
    rollback_targets: int | str | None,
) -> None:
    """Show how long payloads of PROJECT, or of the context's, are kept for an environment, or set that.

    A payload goes when one of the limits is exceeded in every environment, and nothing needs it. What is not
    given stays as it is; `default` goes back to the servers' settings.
    """
    from longshore_client.catalog_models import Default
    from longshore_client.errors import EnvironmentNotFound

    name, where = session.project(project), session.environment(environment)
    given = {
        field: _value(value, unlimited)
        for field, value, unlimited in (
            ("keep_releases", releases, 0),
            ("max_age", age, timedelta(0)),
            ("max_size_bytes", size, 0),
        )
        if value is not None
    }
    targets = Default.SERVERS if rollback_targets == _DEFAULT else rollback_targets

    async def work(client: Client) -> ProjectEnvironment:
        overview = await client.project(name)
        now = next((each for each in overview.environments if each.environment == where), None)
        if now is None:
            raise EnvironmentNotFound(f"{name} was never in an environment {where!r}")
        if not given and targets is None:
            return now
        retention = dataclasses.replace(now.retention, **given) if given else None
        assert not isinstance(targets, str)
        return await client.keep(
            name, environment=where, retention=retention, rollback_targets=targets, etag=now.etag
        )

    kept = session.run(work)
    if session.printer.for_people:
        session.printer.facts(_facts(kept))
    else:
        session.printer.result(kept)


def _value(value: Any, unlimited: Any) -> Any:
    """What the library takes for an option: None for the servers' settings."""
    return {_DEFAULT: None, _UNLIMITED: unlimited}.get(value, value) if isinstance(value, str) else value


def _facts(kept: ProjectEnvironment) -> list[Any]:
    from longshore_client.cli.tables import Fact
    from longshore_client.cli.wording import duration, size

    def told(value: Any, words: str) -> str:
        return "as the servers' settings say" if value is None else words if value else _UNLIMITED

    retention = kept.retention
    age_s = retention.max_age.total_seconds() if retention.max_age else 0.0
    targets = kept.kept_rollback_targets
    return [
        Fact("project", kept.project),
        Fact("environment", kept.environment),
        Fact("releases", told(retention.keep_releases, str(retention.keep_releases))),
        Fact("age", told(retention.max_age, duration(age_s))),
        Fact("size", told(retention.max_size_bytes, size(retention.max_size_bytes or 0))),
        Fact("rollback targets", "as the servers' settings say" if targets is None else str(targets)),
    ]
