"""``longshore list --watch``: deployments as they change, as a table that moves or a line a change."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Collection
from typing import TYPE_CHECKING

import click

from longshore_client.errors import LongshoreError
from longshore_client.models import Deployment, DeploymentStatus

from .breaks import Breaks
from .columns import deployment_columns, status_words
from .live_table import live_table
from .printer import Printer
from .screen import moves
from .wording import clock, short_id

if TYPE_CHECKING:
    from longshore_client.following import BreakCallback


def telling_breaks() -> BreakCallback:
    """Says on standard error that the connection broke, and not at each try that it still is."""
    breaks = Breaks()

    def tell(error: LongshoreError) -> None:
        if (line := breaks.line(error)) is not None:
            click.echo(line, err=True)

    return tell


async def show_changes(
    changes: AsyncIterable[Deployment], printer: Printer, *, statuses: Collection[DeploymentStatus], most: int
) -> None:
    """Show deployments as they come, for ever, where ``statuses`` are given only those that are in one."""
    if printer.for_people and moves(sys.stdout, plain=printer.plain):
        await _show_table(changes, statuses=statuses, most=most)
        return
    async for deployment in changes:
        if not statuses or deployment.status in statuses:
            printer.result(deployment, sentence=_line(deployment), name=deployment.deployment_id)
            sys.stdout.flush()


async def _show_table(
    changes: AsyncIterable[Deployment], *, statuses: Collection[DeploymentStatus], most: int
) -> None:
    newest: dict[str, Deployment] = {}

    def rows() -> list[Deployment]:
        return [each for each in newest.values() if not statuses or each.status in statuses]

    with live_table(deployment_columns, rows, nothing="no deployments"):
        async for deployment in changes:
            # Made anew, because it is drawn in another thread.
            known = {**newest, deployment.deployment_id: deployment}
            by_time = sorted(known.values(), key=_age, reverse=True)
            newest = {each.deployment_id: each for each in by_time[:most]}


def _age(deployment: Deployment) -> tuple[float, str]:
    time = deployment.create_time
    return (time.timestamp() if time else 0.0, deployment.deployment_id)


def _line(deployment: Deployment) -> str:
    d = deployment
    time = d.end_time or d.start_time or d.record_time or d.create_time
    what = f"{d.project} {d.version}".strip()
    return f"{clock(time)}  {short_id(d.deployment_id)}  {what} in {d.environment}: {status_words(d)}"
