"""A rollout that waits, as it is watched: on terminals of every width, and line by line."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from longshore.v1 import progress_pb2
from longshore_client import Event, Snapshot
from longshore_client.cli.display import PlainDisplay
from longshore_client.cli.live_display import LiveDisplay
from longshore_client.cli.wording import cell_width, clock

from .rollouts_told import DUE, event, snapshot
from .screen import Screen
from .terminal import lines_of

WIDTHS = [40, 60, 80, 120]
GATE: dict[str, Any] = {"waiting_gate_id": "gate", "counts": {"live": 1, "pending": 4}}


def drawn(
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *updates: Event | Snapshot,
) -> str:
    """What is on the screen after these, in one line."""

    def draw() -> None:
        with LiveDisplay(sys.stderr) as shown:
            for update in updates:
                shown.update(update)

    with capfd.disabled():
        _, written = Screen(columns, monkeypatch).shows(draw)
    lines = lines_of(written)
    assert all(cell_width(line.rstrip()) <= columns for line in lines), lines
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_gate(columns: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    shown = drawn(columns, monkeypatch, capfd, snapshot(**GATE))
    assert "canary step 1 of 2: 1 of 5 nodes; waits for `longshore promote 5f0c31aa`" in shown
    assert "1 of 5 live" in shown
    assert ("4 to come" in shown) == (columns >= 80)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_time(columns: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    due = datetime.now(UTC) + timedelta(days=1)
    shown = drawn(columns, monkeypatch, capfd, snapshot(**GATE, due=due))
    assert "goes on by itself in 2" in shown
    assert "promote" not in shown


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_pause(columns: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    paused = snapshot("PAUSED", paused_by="ada", pause_reason="errors on web-3")
    shown = drawn(columns, monkeypatch, capfd, snapshot(), paused)
    assert "● paused" in shown
    assert "paused by ada (errors on web-3); `longshore resume 5f0c31aa` lets it go on" in shown


def test_the_phases_of_an_end_that_is_partial(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = drawn(80, monkeypatch, capfd, snapshot("PARTIAL", counts={"live": 4, "failed": 1}))
    assert "✓ partly live" in shown
    assert "4 of 5 live, 1 failed" in shown
    removed = snapshot("PARTIAL", counts={"removed": 4, "failed": 1}, kind="UNDEPLOY")
    shown = drawn(80, monkeypatch, capfd, removed)
    assert "✓ partly removed" in shown
    assert "4 of 5 off, 1 failed" in shown


def test_lines_say_once_what_is_waited_for() -> None:
    stream = io.StringIO()
    plain = PlainDisplay(stream)
    reached = progress_pb2.CanaryStepReached(step=1, total_steps=2, node_count=1, gate_id="gate")
    plain.update(event(4, "Canary step 1 of 2 reached", canary_step_reached=reached))
    for _ in range(3):
        plain.update(snapshot(**GATE))
    for _ in range(2):
        plain.update(snapshot(**GATE, due=DUE, passed_canary_steps=1))
    plain.update(snapshot("PAUSED", paused_by="ada"))
    plain.update(snapshot())
    plain.update(snapshot("PAUSED", paused_by="ada"))
    assert stream.getvalue().splitlines() == [
        "--:--:--  Canary step 1 of 2 reached",
        "canary step 1 of 2: 1 of 5 nodes; waits for `longshore promote 5f0c31aa`",
        f"canary step 2 of 2: 3 of 5 nodes; goes on by itself at {clock(DUE)}",
        "paused by ada; `longshore resume 5f0c31aa` lets it go on",
        "paused by ada; `longshore resume 5f0c31aa` lets it go on",
    ]
