"""What is shown while a deployment goes on: one port, plain lines here, a terminal's in ``live_display``."""

from __future__ import annotations

import re
import time
from typing import IO, Final, Protocol

import click

from longshore_client.errors import LongshoreError
from longshore_client.events import Event, HookOutput, NodeHookOutput, NodesStepped, Snapshot
from longshore_client.models import (
    ActivationStatus,
)
from longshore_client.upload_progress import UploadPhase, UploadProgress

from .breaks import Breaks
from .columns import activation_color
from .rollout_words import waiting_words
from .wording import clock, count, duration, safe, share, size, words

_UPLOAD_LINE_EVERY_S: Final = 5.0
_DIGEST: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


class Display(Protocol):
    """Shows progress. Methods are called in the event loop and return at once."""

    def upload(self, progress: UploadProgress) -> None:
        """An upload went on."""
        ...

    def update(self, update: Event | Snapshot) -> None:
        """A deployment went on."""
        ...

    def broken(self, error: LongshoreError) -> None:
        """The connection broke; it is tried again."""
        ...

    def accepted(self, deployment_id: str) -> None:
        """A deployment without an upload was accepted."""
        ...

    def say(self, line: str) -> None:
        """Show one line, which is safe for a terminal."""
        ...


class PlainDisplay:
    """Lines, for files, pipes and logs: every event, and an upload's progress now and then."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._began_s = time.monotonic()
        self._shown_s = self._began_s
        self._waiting = ""
        self._breaks = Breaks()

    def upload(self, progress: UploadProgress) -> None:
        """Say what was accepted, how far it is, and what was sent."""
        now_s = time.monotonic()
        if progress.phase is not UploadPhase.WAITING:
            self._breaks.over()
        match progress.phase:
            case UploadPhase.ACCEPTED:
                self.say(accepted_words(progress))
            case UploadPhase.SENDING if now_s - self._shown_s >= _UPLOAD_LINE_EVERY_S:
                rate = size((progress.sent_bytes + progress.reused_bytes) / (now_s - self._began_s))
                self.say(f"{done_words(progress)}, {rate}/s, {size(progress.sent_bytes)} sent")
            case UploadPhase.RECORDING:
                self.say(sent_words(progress, now_s - self._began_s))
            case UploadPhase.WAITING:
                self._say_broken(progress.error, progress.server)
            case _:
                return
        self._shown_s = now_s

    def update(self, update: Event | Snapshot) -> None:
        """Print an event; of snapshots only what a deployment waits for."""
        self._breaks.over()
        if isinstance(update, Event):
            for line in event_lines(update):
                self.say(line)
            return
        waiting = waiting_words(update.deployment)
        if waiting and waiting != self._waiting:
            self.say(waiting)
        self._waiting = waiting

    def broken(self, error: LongshoreError) -> None:
        """Say that the connection broke."""
        self._say_broken(error)

    def accepted(self, deployment_id: str) -> None:
        """Say its id."""
        self.say(f"deployment {safe(deployment_id)} accepted")

    def say(self, line: str) -> None:
        """Print one line."""
        click.echo(line, file=self._stream)

    def _say_broken(self, error: LongshoreError | None, server: str = "") -> None:
        if (line := self._breaks.line(error, server)) is not None:
            self.say(line)


class NoDisplay:
    """Shows nothing, where nobody looks; what went wrong comes as an error."""

    def upload(self, progress: UploadProgress) -> None:
        """Show nothing."""

    def update(self, update: Event | Snapshot) -> None:
        """Show nothing."""

    def broken(self, error: LongshoreError) -> None:
        """Show nothing."""

    def accepted(self, deployment_id: str) -> None:
        """Show nothing."""

    def say(self, line: str) -> None:
        """Show nothing."""


def accepted_words(progress: UploadProgress) -> str:
    """What is said when a server has accepted an upload."""
    if progress.attempt == 1 and progress.done_bytes in (0, progress.total_bytes):
        return f"deployment {safe(progress.deployment_id)} accepted"
    return f"deployment {safe(progress.deployment_id)} goes on at {size(progress.done_bytes)}"


def done_words(progress: UploadProgress) -> str:
    """How far an upload is."""
    whole = f" of {size(progress.total_bytes)}" if progress.total_bytes is not None else ""
    return f"{size(progress.done_bytes)}{whole}"


def sent_words(progress: UploadProgress, seconds: float) -> str:
    """What an upload moved, at its end."""
    if progress.already_stored:
        return f"nothing sent: all {size(progress.done_bytes)} are stored already"
    sent = f"sent {size(progress.sent_bytes)} for {size(progress.done_bytes)} in {duration(seconds)}"
    if not progress.reused_bytes:
        return sent
    return f"{sent}; {share(progress.reused_bytes, progress.done_bytes)} was stored already"


def event_lines(event: Event) -> list[str]:
    """An event as lines: its time and its sentence, and what it says of nodes and findings."""
    if isinstance(event.detail, HookOutput):
        return [line for output in event.detail.outputs for line in _hook_lines(event, output)]
    sentence = _DIGEST.sub(r"\1…", safe(event.message))
    lines = [f"{clock(event.time)}  {sentence}"]
    if isinstance(event.detail, NodesStepped):
        for step in event.detail.steps:
            if step.status is ActivationStatus.FAILED:
                status = click.style(words(step.status), fg=activation_color(step.status))
                lines.append(f"          {safe(step.node_name)} {status}: {safe(step.message)}")
    return lines


def _hook_lines(event: Event, output: NodeHookOutput) -> list[str]:
    """What a hook put out, and how it ended, each line after the node's and the hook's names."""
    what = f"{safe(output.node_name)} {safe(output.hook)}" + (" (taking back)" if output.taking_back else "")
    lines = [safe(line) for line in output.lines]
    if output.skipped_lines:
        lines.insert(0, f"… {count(output.skipped_lines, 'line')} left out")
    shown = [f"          {what} │ {line}" for line in lines]
    if not output.ended:
        return shown or [f"{clock(event.time)}  {what} runs"]
    outcome = safe(output.outcome)
    if output.exit_code != 0:
        outcome = click.style(outcome, fg=activation_color(ActivationStatus.FAILED))
    return [*shown, f"{clock(event.time)}  {what} {outcome}"]
