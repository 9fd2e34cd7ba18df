"""A run that broke off goes on with the rows that are left; what ended well is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import results, running
from benchmarks.results import Measured
from benchmarks.rows import Row
from benchmarks.sizes import QUICK, Sizes
from benchmarks.stage import Bench, Say

TARGETS = {"upload": "upload.plain", "edits": "edits.wire"}


class Rows:
    """Two rows that need no stage; one of them can break."""

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.broken = ""

    def row(self, name: str) -> Row:
        async def measure(_: Bench) -> Measured:
            if name == self.broken:
                raise RuntimeError("broken")
            self.measured.append(name)
            return Measured({TARGETS[name]: [float(len(self.measured))]})

        return measure


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    @contextmanager
    def bench(sizes: Sizes, say: Say) -> Iterator[None]:
        yield None

    rows = Rows()
    monkeypatch.setattr(running, "bench", bench)
    monkeypatch.setattr(running, "ROWS", {name: rows.row(name) for name in TARGETS})
    return rows


def test_a_run_goes_on_where_it_broke_off(rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    rows.broken = "edits"
    assert running.run(QUICK, path) == ["edits"]
    rows.broken = ""
    assert running.run(QUICK, path) == []
    assert rows.measured == ["upload", "edits"]
    kept = results.load(path, QUICK.name)
    assert kept.unfinished_run == ""
    assert {name: row.figures[TARGETS[name]] for name, row in kept.rows.items()} == {
        "upload": [1.0],
        "edits": [2.0],
    }
    assert running.run(QUICK, path) == []
    assert rows.measured == ["upload", "edits"] * 2


def test_one_row_leaves_the_others_and_ends_no_run(rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    rows.broken = "edits"
    running.run(QUICK, path)
    assert running.run(QUICK, path, only=["upload"]) == []
    assert results.load(path, QUICK.name).unfinished_run
    rows.broken = ""
    running.run(QUICK, path, anew=True)
    assert rows.measured == ["upload", "upload", "upload", "edits"]
