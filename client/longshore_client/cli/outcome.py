"""Following a deployment that was just made, and saying how it ended and what can be done next."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NoReturn

import click

from longshore_client.client import Client
from longshore_client.errors import DeploymentFailed, LongshoreError, StatusConflict, TimedOut
from longshore_client.models import ActivationStatus, Deployment, DeploymentKind, DeploymentStatus
from longshore_client.strategies import FailurePolicy

from .display import Display
from .exit_codes import PARTLY_LIVE
from .facts import outcome_words
from .failing import warn
from .rollout_words import canary_words, is_at_canary_step, paused_words
from .session import Session
from .wording import count, safe, short_id, words

_MOST_NODES_TOLD: Final = 5
_MOST_NODES_READ: Final = 500


@dataclass
class Followed:
    """One deployment, from the moment it is recorded until it ended or waits for a person.

    ``deployment`` is how it stands, None before it is recorded; ``error`` is what it ended without success
    by, and ``warning`` what is said where it is live but for a few nodes. In quiet runs its id is printed
    when it is recorded, so that a script has it whatever comes.
    """

    session: Session
    detach: bool
    timeout_s: float | None
    deployment: Deployment | None = None
    error: DeploymentFailed | None = None
    warning: PartlyLive | None = None

    async def to_end(
        self, client: Client, deployment: Deployment, shown: Display, *, from_here: bool = False
    ) -> None:
        """Follow what was recorded, unless nobody wants to; ``from_here`` leaves out what was told before.

        Raises ``TimedOut``.
        """
        self.deployment = deployment
        if self.session.printer.quiet:
            click.echo(safe(deployment.deployment_id))
        if not self.detach:
            self.deployment = await follow_to_end(
                client,
                deployment.deployment_id,
                shown,
                after=deployment.last_sequence if from_here else 0,
                timeout_s=self.timeout_s,
            )
        self.error = await failure(client, self.deployment)
        self.warning = await partly_live(client, self.deployment)

    def print_outcome(self) -> None:
        """Print how it stands, or ended; end the command with a code of its own where it is partly live.

        Raises ``DeploymentFailed`` when it ended without success.
        """
        assert self.deployment is not None
        if self.error is None or self.session.printer.for_programs:
            # In quiet runs the id was printed when it was recorded.
            self.session.printer.result(self.deployment, sentence=standing_words(self.deployment))
        if self.error is not None:
            raise self.error
        if self.warning is not None:
            self.warning.end_command()


@dataclass(frozen=True)
class PartlyLive:
    """A deployment that is live, or taken off, but for a few nodes: ``notes`` tell which, and what comes."""

    message: str
    notes: tuple[str, ...]

    def end_command(self) -> NoReturn:
        """Tell it on standard error, and end the command with the exit code for it."""
        warn(self.message, self.notes)
        click.get_current_context().exit(PARTLY_LIVE)


async def follow_to_end(
    client: Client, deployment_id: str, shown: Display, *, after: int = 0, timeout_s: float | None
) -> Deployment:
    """Follow a deployment and give it back as it ended, or as it waits for a person.

    Events up to number ``after`` are left out. Raises ``TimedOut`` after ``timeout_s``.
    """
    try:
        async with asyncio.timeout(timeout_s):
            updates = client.follow(deployment_id, after=after, until_waiting=True, on_break=shown.broken)
            async with aclosing(updates):
                async for update in updates:
                    shown.update(update)
    except TimeoutError:
        error = TimedOut(f"deployment {deployment_id} did not end within {timeout_s:g} s; it goes on")
        error.add_note(how_to_follow(deployment_id))
        raise error from None
    return await client.get(deployment_id)


def outcome_of_cancelling(session: Session, deployment: Deployment) -> None:
    """Print how a cancelled deployment stands. Raises ``StatusConflict`` when it ended otherwise."""
    d = deployment
    if d.status.terminal and d.status is not DeploymentStatus.CANCELLED:
        if session.printer.for_programs:
            session.printer.print_object(d)
        raise StatusConflict(f"deployment {d.deployment_id} {words(d.status)} before it could be cancelled")
    live = f"; {safe(d.previous_version)} is live" if d.previous_version else ""
    if kept := kept_words(d):
        live += f"; {kept}"
    ended = f"{safe(f'{d.project} {d.version}'.strip())} in {safe(d.environment)} is cancelled{live}"
    going_on = f"it is being taken back; {how_to_follow(d.deployment_id)}"
    session.printer.result(d, sentence=ended if d.status.terminal else going_on, name=d.deployment_id)


async def failure(client: Client, deployment: Deployment) -> DeploymentFailed | None:
    """What ends a command whose deployment ended without success: why, on which nodes, what to do next."""
    d = deployment
    if not d.status.terminal or d.status.successful:
        return None
    told = await _failed_nodes(client, d) if d.node_counts.failed else []
    why = d.error.message if d.error else d.status_message
    if told:
        # What they said is told for each.
        why = _failed_words(d)
    error = DeploymentFailed(f"{outcome_words(d)}{f': {why}' if why else ''}", d)
    for note in told:
        error.add_note(note)
    if d.previous_version:
        error.add_note(f"what was live before: {d.previous_version}")
    if kept_words(d):
        error.add_note(kept_words(d))
    error.add_note(f"what to do: {next_step(d)}")
    return error


async def partly_live(client: Client, deployment: Deployment) -> PartlyLive | None:
    """What is said beside the success of a deployment of which a few nodes failed; else None."""
    d = deployment
    if d.status is not DeploymentStatus.PARTIAL:
        return None
    counts, removal = d.node_counts, d.kind is DeploymentKind.UNDEPLOY
    missing = counts.expected - (counts.removed if removal else counts.live)
    if missing <= 0:
        # Who was cut off may come late: they were tried again meanwhile.
        by_now = "it is off all of them by now" if removal else "it is live on all of them by now"
        return PartlyLive(f"not all of {count(counts.expected, 'node')} did it at first: {by_now}", ())
    again = f"`longshore retry {short_id(d.deployment_id)}` tries them at once"
    told = await _failed_nodes(client, d) if counts.failed else []
    failed = f"{missing} of {count(counts.expected, 'node')} failed"
    return PartlyLive(failed, (*told, f"they are tried again by themselves; {again}"))


def kept_words(deployment: Deployment) -> str:
    """What became of the nodes where they were not taken back; empty where nothing is to be said."""
    if deployment.failure_policy is not FailurePolicy.KEEP or deployment.start_time is None:
        return ""
    return "nodes that it had reached are kept as they are"


def _failed_words(deployment: Deployment) -> str:
    counts = deployment.node_counts
    return f"{counts.failed} of {count(counts.expected, 'node')} failed"


def next_step(deployment: Deployment) -> str:
    """What somebody whose deployment ended without success does next."""
    d = deployment
    again = f"`longshore retry {short_id(d.deployment_id)}`"
    if d.status is DeploymentStatus.SUPERSEDED:
        return f"`longshore list {safe(d.project)}` shows what came instead; {again} brings it back"
    if d.status is DeploymentStatus.CANCELLED:
        return f"{again} tries it again" if d.record_time else "deploy it again"
    if d.record_time is None:
        return "mend what is wrong, and deploy again"
    look = f"`longshore get {short_id(d.deployment_id)}` shows what each node did"
    return f"{look}; {again} tries it again when that is mended"


def how_to_follow(deployment_id: str) -> str:
    """How to see what becomes of a deployment."""
    return f"follow it: longshore watch {safe(deployment_id)}"


def standing_words(deployment: Deployment) -> str:
    """How a deployment stands that ended well or has not ended, and what somebody does next."""
    d = deployment
    if d.status.successful:
        return outcome_words(d)
    what = f"{safe(d.project)} {safe(d.version)}".strip()
    if d.kind is DeploymentKind.UNDEPLOY:
        what = f"the undeploy of {safe(d.project)}"
    standing = f"{what} is {words(d.status)} in {safe(d.environment)}"
    if is_at_canary_step(d):
        standing += f" ({canary_words(d)})"
    if pausing := paused_words(d):
        standing = f"{what} in {safe(d.environment)} is {pausing}"
    elif d.status is DeploymentStatus.PAUSED:
        standing = f"{what} in {safe(d.environment)} is about to go on"
    if d.waits_for_person:
        command = "resume" if d.status is DeploymentStatus.PAUSED else "promote"
        return f"{standing} and waits for a person: longshore {command} {safe(d.deployment_id)}"
    return f"{standing}; {how_to_follow(d.deployment_id)}"


async def _failed_nodes(client: Client, deployment: Deployment) -> list[str]:
    """A line for each of the first nodes that failed, with what they said."""
    failed: dict[str, str] = {}
    try:
        listed = client.activations(deployment.deployment_id, limit=_MOST_NODES_READ)
        async with aclosing(listed):
            # By generation; what went wrong first is why it went back.
            async for each in listed:
                if each.status is ActivationStatus.FAILED:
                    failed.setdefault(each.node_name, each.message)
    except LongshoreError:
        # How it ended is known; what nodes said is a service.
        return []
    told = [f"{name} failed: {message}" for name, message in failed.items()]
    left = len(told) - _MOST_NODES_TOLD
    return [*told[:_MOST_NODES_TOLD], *([f"… and {left} more"] if left > 0 else [])]
