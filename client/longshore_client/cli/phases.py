"""The phases of a deployment in one line, as far as it has come: what is done, where it is, what comes."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.text import Text

from longshore_client.models import DeploymentKind, DeploymentStatus

from .wording import duration, words

_UPLOADED: Final = (DeploymentStatus.RECEIVING, DeploymentStatus.VALIDATING)
_ROLLED_OUT: Final = (DeploymentStatus.QUEUED, DeploymentStatus.ROLLING_OUT, DeploymentStatus.SUCCEEDED)
_NAMES: Final = {
    DeploymentStatus.UNKNOWN: "connecting",
    DeploymentStatus.PENDING: "accepted",
    DeploymentStatus.RECEIVING: "uploading",
    DeploymentStatus.VALIDATING: "examining",
    DeploymentStatus.SUCCEEDED: "live",
    DeploymentStatus.PARTIAL: "partly live",
    DeploymentStatus.REVERTING: "going back",
}
_WRONG: Final = (DeploymentStatus.REVERTING, DeploymentStatus.FAILED, DeploymentStatus.CANCELLED)


class _Phase(NamedTuple):
    mark: str
    name: str
    style: str

    def text(self) -> Text:
        return Text(f"{self.mark} {self.name}", self.style)


class Phases:
    """Where a deployment stands, and what it was and will be besides."""

    def __init__(self) -> None:
        self._status = DeploymentStatus.UNKNOWN
        self._seen: set[DeploymentStatus] = set()
        self._with_bytes = False
        self._is_removal = False

    def move(self, status: DeploymentStatus, kind: DeploymentKind = DeploymentKind.UNKNOWN) -> None:
        """Note where it stands now; a ``kind`` that is known tells which phases there are."""
        if status is not DeploymentStatus.UNKNOWN:
            self._status = status
            self._seen.add(status)
        self._with_bytes |= kind is DeploymentKind.UPLOAD or status in _UPLOADED
        self._is_removal |= kind is DeploymentKind.UNDEPLOY

    def line(self, width: int, elapsed_s: float) -> Text:
        """How long it goes, and before that all phases, or only the present one where they do not fit."""
        time = duration(elapsed_s)
        phases, at = self._phases()
        shown = Text("  ").join(phase.text() for phase in phases)
        if shown.cell_len + len(time) + 2 > width:
            shown = phases[at].text()
        room = max(width - shown.cell_len - len(time), 1)
        return Text.assemble(shown, " " * room, (time, "dim"), no_wrap=True, overflow="crop")

    def _phases(self) -> tuple[list[_Phase], int]:
        """What is shown, and which of it is the present."""
        path = self._path()
        at = path.index(self._status)
        phases = [_Phase("✓", self._name(each), "green") for each in path[:at]]
        if self._status.successful:
            style = "green" if self._status is DeploymentStatus.SUCCEEDED else "yellow"
            phases.append(_Phase("✓", self._name(self._status), style))
        elif self._status in _WRONG:
            phases.append(_Phase("✗", self._name(self._status), "red"))
        else:
            phases.append(_Phase("●", self._name(self._status), "bold cyan"))
        return [*phases, *(_Phase("○", self._name(each), "dim") for each in path[at + 1 :])], at

    def _path(self) -> list[DeploymentStatus]:
        """The way of the deployment, where it stands included."""
        path = [*(_UPLOADED if self._with_bytes else ()), *_ROLLED_OUT]
        if self._status in path:
            return path
        if self._status is DeploymentStatus.PENDING:
            return [self._status, *path]
        if self._status is DeploymentStatus.STAGED:
            path.insert(path.index(DeploymentStatus.QUEUED), self._status)
            return path
        if self._status is DeploymentStatus.PAUSED:
            path.insert(path.index(DeploymentStatus.SUCCEEDED), self._status)
            return path
        if self._status is DeploymentStatus.PARTIAL:
            return [*path[:-1], self._status]
        return [*(each for each in path if each in self._seen), self._status]

    def _name(self, status: DeploymentStatus) -> str:
        if self._is_removal and status.successful:
            return "removed" if status is DeploymentStatus.SUCCEEDED else "partly removed"
        return _NAMES.get(status, words(status))
