"""Progress that moves, for terminals: lines, and below them phases, an upload's bar, one for each node.

Text from elsewhere never reaches the terminal as markup or with control characters.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Final, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from longshore_client.errors import LongshoreError
from longshore_client.events import Event, Snapshot, StatusChanged
from longshore_client.models import (
    Activation,
    ActivationStatus,
    Deployment,
    DeploymentKind,
    DeploymentStatus,
)
from longshore_client.upload_progress import UploadPhase, UploadProgress

from .breaks import Breaks
from .display import accepted_words, done_words, event_lines, sent_words
from .phases import Phases
from .rollout_words import waiting_words
from .wording import safe, share, shortened, size, words

_MOST_NODES_SHOWN: Final = 8
_WIDTH_FOR_DETAILS: Final = 76
_NAME_WIDTH: Final = 18
_RATE_OVER_S: Final = 3.0
_TIME_WIDTH: Final = len("00:00:00  ")
_LEAST_WRAPPED: Final = 20


class LiveDisplay:
    """Shows progress on a terminal inside a ``with`` block, and leaves only the lines behind."""

    def __init__(self, stream: IO[str]) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._wide = self._console.width >= _WIDTH_FOR_DETAILS
        self._phases = Phases()
        self._began_s = time.monotonic()
        self._progress = _Bars(
            self._phases,
            self._began_s,
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            TextColumn("{task.fields[amount]}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
        )
        self._upload: TaskID | None = None
        self._nodes: dict[str, TaskID] = {}
        self._total: TaskID | None = None
        self._rate = _Rate()
        self._breaks = Breaks()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def upload(self, progress: UploadProgress) -> None:
        """Move the upload's bar."""
        if progress.phase is not UploadPhase.WAITING:
            self._breaks.over()
        match progress.phase:
            case UploadPhase.ACCEPTED:
                self.say(accepted_words(progress))
            case UploadPhase.RECORDING:
                self.say(sent_words(progress, time.monotonic() - self._began_s))
            case UploadPhase.WAITING:
                self._say_broken(progress.error, progress.server)
            case UploadPhase.SENDING:
                pass
        if self._upload is None:
            self._upload = self._progress.add_task("uploading", amount="")
        recording = progress.phase is UploadPhase.RECORDING
        self._phases.move(DeploymentStatus.VALIDATING if recording else DeploymentStatus.RECEIVING)
        self._progress.update(
            self._upload,
            description="examining" if recording else "uploading",
            total=None if recording else progress.total_bytes,
            completed=progress.done_bytes,
            amount="" if recording else self._upload_amount(progress),
        )

    def update(self, update: Event | Snapshot) -> None:
        """Print an event's lines, or move the bars of the nodes."""
        self._breaks.over()
        if self._upload is not None:
            self._progress.remove_task(self._upload)
            self._upload = None
        if isinstance(update, Event):
            if isinstance(update.detail, StatusChanged):
                self._phases.move(update.detail.to_status)
            for line in event_lines(update):
                self.say(line)
            return
        self._phases.move(update.deployment.status, update.deployment.kind)
        self._progress.deployment = update.deployment
        self._show_nodes(update)

    def broken(self, error: LongshoreError) -> None:
        """Say that the connection broke."""
        self._say_broken(error)

    def accepted(self, deployment_id: str) -> None:
        """Say its id."""
        self.say(f"deployment {safe(deployment_id)} accepted")

    def say(self, line: str) -> None:
        """Print one line above the bars, wrapped so that the column of times stays free."""
        text = Text.from_ansi(line)
        width = self._console.width - _TIME_WIDTH
        if text.cell_len <= self._console.width or width < _LEAST_WRAPPED:
            self._console.print(text, soft_wrap=True)
            return
        time, rest = text.divide([_TIME_WIDTH])
        for number, each in enumerate(rest.wrap(self._console, width)):
            self._console.print((time if number == 0 else Text(" " * _TIME_WIDTH)) + each, soft_wrap=True)

    def _say_broken(self, error: LongshoreError | None, server: str = "") -> None:
        if (line := self._breaks.line(error, server)) is not None:
            self.say(line)

    def _upload_amount(self, progress: UploadProgress) -> str:
        amount = f"{done_words(progress)}  {size(self._rate.of(progress.done_bytes))}/s"
        if self._wide and progress.done_bytes:
            amount += f"  {share(progress.reused_bytes, progress.done_bytes)} there already"
        return amount

    def _show_nodes(self, snapshot: Snapshot) -> None:
        working = [
            activation
            for activation in snapshot.activations
            if activation.status in (ActivationStatus.FETCHING, ActivationStatus.SWITCHING)
        ]
        shown = working[: min(_MOST_NODES_SHOWN, max(1, self._console.height - 6))]
        for node_id in self._nodes.keys() - {activation.node_id for activation in shown}:
            self._progress.remove_task(self._nodes.pop(node_id))
        for activation in shown:
            if activation.node_id not in self._nodes:
                self._nodes[activation.node_id] = self._progress.add_task("", amount="")
            self._progress.update(
                self._nodes[activation.node_id],
                description=shortened(safe(activation.node_name), _NAME_WIDTH),
                total=activation.total_bytes or None,
                completed=activation.installed_bytes,
                amount=_node_amount(activation),
            )
        counts = snapshot.deployment.node_counts
        if counts.expected > 1:
            if self._total is None:
                self._total = self._progress.add_task("nodes", amount="")
            removal = snapshot.deployment.kind is DeploymentKind.UNDEPLOY
            done = counts.removed if removal else counts.live
            amount = f"{done} of {counts.expected} {'off' if removal else 'live'}"
            if counts.failed:
                amount += f", {counts.failed} failed"
            if counts.pending and self._wide:
                amount += f", {counts.pending} to come"
            self._progress.update(self._total, total=counts.expected, completed=done, amount=amount)


def _node_amount(activation: Activation) -> str:
    if activation.status is ActivationStatus.SWITCHING or not activation.total_bytes:
        return words(activation.status)
    return f"{size(activation.installed_bytes)} of {size(activation.total_bytes)}"


class _Bars(Progress):
    """The bars, above them the phases, and what the ``deployment`` waits for."""

    def __init__(self, phases: Phases, began_s: float, *columns: ProgressColumn, console: Console) -> None:
        # Drawn as soon as it is made.
        self._phases = phases
        self._began_s = began_s
        self._console = console
        self.deployment: Deployment | None = None
        super().__init__(*columns, console=console, transient=True, expand=True)

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is drawn, from top to bottom."""
        yield self._phases.line(self._console.width, time.monotonic() - self._began_s)
        waiting = waiting_words(self.deployment, datetime.now(UTC)) if self.deployment else ""
        if waiting:
            yield Text(waiting, "magenta")
        yield from super().get_renderables()


class _Rate:
    """Bytes a second, over the last seconds."""

    def __init__(self) -> None:
        self._seen = [(time.monotonic(), 0)]

    def of(self, done_bytes: int) -> float:
        """The rate, now that so many bytes are done."""
        now_s = time.monotonic()
        self._seen = [
            each for each in self._seen if now_s - each[0] <= _RATE_OVER_S and each[1] <= done_bytes
        ] or [(now_s, done_bytes)]
        began_s, began_bytes = self._seen[0]
        self._seen.append((now_s, done_bytes))
        return (done_bytes - began_bytes) / max(now_s - began_s, 0.05)
