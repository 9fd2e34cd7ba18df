"""A connection that stays broken: what is wrong is told once, and again at intervals that grow."""

from __future__ import annotations

import io

import pytest

from longshore_client.cli.breaks import Breaks
from longshore_client.cli.display import PlainDisplay
from longshore_client.cli.live_list import telling_breaks
from longshore_client.errors import ProgressCompacted, Unavailable

from .rollouts_told import event

AWAY = Unavailable("cannot reach the server at web-1:7420: Connection refused")
LINE = "cannot reach the server at web-1:7420: Connection refused; trying again"


class Clock:
    """A time of the test's own."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_the_same_is_told_at_growing_intervals() -> None:
    clock = Clock()
    breaks = Breaks(clock)
    told = []
    for _ in range(80):
        if (line := breaks.line(AWAY)) is not None:
            told.append((clock.now_s - 1000, line))
        clock.now_s += 2
    assert told == [
        (0, LINE),
        (10, f"{LINE}, for 10.0 s now"),
        (30, f"{LINE}, for 30.0 s now"),
        (70, f"{LINE}, for 1 min 10 s now"),
        (150, f"{LINE}, for 2 min 30 s now"),
    ]


def test_what_changes_is_told_at_once_and_again_when_it_comes_back() -> None:
    clock = Clock()
    breaks = Breaks(clock)
    assert breaks.line(AWAY, "web-2:7420") == f"{LINE} at web-2:7420"
    for _ in range(3):
        assert (breaks.line(AWAY), breaks.line(Unavailable("draining"))) == (LINE, "draining; trying again")
        assert (breaks.line(AWAY), breaks.line(Unavailable("draining"))) == (None, None)
        breaks.over()
    clock.now_s += 60
    assert breaks.line(AWAY) == LINE


def test_what_differs_at_each_try_is_not_remembered_for_ever() -> None:
    breaks = Breaks(Clock())
    assert all(breaks.line(Unavailable(f"request {number}")) for number in range(1000))
    assert len(breaks._told) < 100


def test_lines_of_a_display() -> None:
    stream = io.StringIO()
    shown = PlainDisplay(stream)
    for _ in range(20):
        shown.broken(AWAY)
    shown.update(event(1, "Accepted"))
    shown.broken(AWAY)
    shown.broken(ProgressCompacted("gone"))
    lines = stream.getvalue().splitlines()
    assert (lines[0], lines[1].endswith("Accepted"), lines[2]) == (LINE, True, LINE)
    assert len(lines) == 4


def test_lines_beside_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    tell = telling_breaks()
    for _ in range(20):
        tell(AWAY)
    assert capsys.readouterr().err == f"{LINE}\n"
