"""Following a deployment that was just made, and saying how it ended."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import click

from longshore_client.client import Client
from longshore_client.errors import DeploymentFailed, StatusConflict, TimedOut
from longshore_client.models import Deployment, DeploymentStatus

from .display import Display
from .facts import outcome_words
from .printing import print_object
from .session import Session
from .wording import safe, words


async def follow_to_end(
    client: Client, deployment_id: str, shown: Display, *, timeout_s: float | None
) -> Deployment:
    """Follow a deployment and give it back as it ended, or as it waits for a person.

    Raises ``TimedOut`` after ``timeout_s``.
    """
    try:
        async with asyncio.timeout(timeout_s):
            updates = client.follow(deployment_id, until_waiting=True, on_break=shown.broken)
            async with aclosing(updates):
                async for update in updates:
                    shown.update(update)
    except TimeoutError:
        error = TimedOut(f"deployment {deployment_id} did not end within {timeout_s:g} s; it goes on")
        error.add_note(how_to_follow(deployment_id))
        raise error from None
    return await client.get(deployment_id)


def print_outcome(session: Session, deployment: Deployment) -> None:
    """Print how it stands, or ended. Raises ``DeploymentFailed`` when it is not live."""
    d = deployment
    if not session.for_people:
        print_object(d, session.output)
    if not d.status.terminal:
        if session.for_people and d.status.waiting:
            click.echo(
                f"{safe(d.project)} {safe(d.version)} is {words(d.status)} in {safe(d.environment)} and "
                f"waits for a person: longshore promote {d.deployment_id}"
            )
        elif session.for_people:
            click.echo(
                f"{safe(d.project)} {safe(d.version)} is {words(d.status)} in {safe(d.environment)}; "
                f"{how_to_follow(d.deployment_id)}"
            )
        return
    if d.status is not DeploymentStatus.SUCCEEDED:
        raise failure(d)
    if session.for_people:
        click.echo(outcome_words(d))


def outcome_of_cancelling(session: Session, deployment: Deployment) -> None:
    """Print how a cancelled deployment stands. Raises ``StatusConflict`` when it ended otherwise."""
    d = deployment
    if not session.for_people:
        print_object(d, session.output)
    if d.status.terminal and d.status is not DeploymentStatus.CANCELLED:
        raise StatusConflict(f"deployment {d.deployment_id} {words(d.status)} before it could be cancelled")
    if not session.for_people:
        return
    if not d.status.terminal:
        click.echo(f"it is being taken back; {how_to_follow(d.deployment_id)}")
        return
    live = f"; {safe(d.previous_version)} is live" if d.previous_version else ""
    click.echo(f"{safe(f'{d.project} {d.version}'.strip())} in {safe(d.environment)} is cancelled{live}")


def failure(deployment: Deployment) -> DeploymentFailed:
    """The error that a deployment without success ends a command with."""
    d = deployment
    why = d.error.message if d.error else d.status_message
    error = DeploymentFailed(f"{outcome_words(d)}{f': {why}' if why else ''}", d)
    if d.previous_version:
        error.add_note(f"what was live before: {d.previous_version}")
    return error


def how_to_follow(deployment_id: str) -> str:
    """How to see what becomes of a deployment."""
    return f"follow it: longshore watch {deployment_id}"
