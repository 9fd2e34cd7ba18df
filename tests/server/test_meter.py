"""How far a long command is: a bar for people, plain lines for everything else."""

from __future__ import annotations

import io
import sys

import pytest

from longshore_server.commands.meter import meter


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with meter("scrubbing") as tell:
        tell(0, 200, "nothing yet")
        tell(50, 200, "one damaged")
        tell(210, 200, "more than was thought")
    shown = terminal.getvalue()
    assert "scrubbing" in shown
    assert "25%" in shown
    assert "100%" in shown


def test_lines_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = 0.0
    monkeypatch.setattr("longshore_server.commands.meter.time.monotonic", lambda: clock)
    with meter("scrubbing") as tell:
        for second in range(31):
            clock = float(second)
            tell(second, 60, "all well")
    assert capsys.readouterr().err.splitlines() == [
        f"scrubbing: {share} %, all well" for share in (16, 33, 50)
    ]
