"""Tables fit the terminal, and words stay words whatever a server says."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_client.cli import wording
from longshore_client.cli.tables import Column, draw

_COLUMNS: list[Column[tuple[str, str, str]]] = [
    Column("NAME", lambda row: row[0]),
    Column("STATE", lambda row: row[1], importance=1, color=lambda _: "green"),
    Column("MESSAGE", lambda row: row[2], importance=2, flexible=True),
]
_text = st.text(max_size=30)


@given(
    rows=st.lists(st.tuples(st.text(max_size=8), _text, _text), min_size=1, max_size=5),
    width=st.integers(20, 200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = [click.unstyle(line) for line in draw(_COLUMNS, rows, width=width)]
    assert len(lines) == len(rows) + 1
    assert all(wording.cell_width(line) <= width for line in lines)
    assert lines[0].startswith("NAME")


def test_the_least_important_column_goes_first_and_flexible_text_is_cut() -> None:
    rows = [("n", "running", "a long message that needs room")]
    assert draw(_COLUMNS, rows, width=None)[1].endswith("needs room")
    wide, narrow, narrower = (click.unstyle(draw(_COLUMNS, rows, width=w)[1]) for w in (40, 28, 14))
    assert wide.startswith("n     running  a long message")
    assert narrow.startswith("n     running  a long")
    assert narrow.endswith("…")
    assert narrower.split() == ["n", "running"]


def test_a_remark_is_there_when_it_is_about_some_row() -> None:
    columns = [_COLUMNS[0], dataclasses.replace(_COLUMNS[1], remark=True)]
    lines = draw(columns, [("a", "", ""), ("b", "", "")], width=None)
    assert [click.unstyle(line) for line in lines] == ["NAME", "a", "b"]
    lines = draw(columns, [("a", "", ""), ("b", "look", "")], width=None)
    assert [click.unstyle(line) for line in lines] == ["NAME  STATE", "a", "b     look"]


def test_wide_characters_keep_the_columns_aligned() -> None:
    lines = [click.unstyle(line) for line in draw(_COLUMNS, [("日本", "x", ""), ("ab", "y", "")], width=None)]
    assert wording.cell_width(lines[1].split("x")[0]) == len(lines[2].split("y")[0])


@given(st.text())
def test_safe_text_is_one_line_without_control_characters(text: str) -> None:
    cleaned = wording.safe(text)
    assert len(cleaned.splitlines()) <= 1
    assert all(
        character.isprintable() or character.isspace() or ord(character) > 0x9F for character in cleaned
    )
    assert "\x1b" not in cleaned


def test_safe_text_cannot_turn_around_or_hide() -> None:
    assert wording.safe("a\x1b[31mred\r\nb\u202egnp.exe\x9b2J") == "a [31mred b gnp.exe 2J"
    assert wording.safe("grüße – 日本") == "grüße – 日本"


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_sizes(size_bytes: int, shown: str) -> None:
    assert wording.size(size_bytes) == shown


def test_a_share_is_all_of_it_only_when_it_is() -> None:
    assert wording.share(999_999, 1_000_000) == "99.9 %"
    assert wording.share(1_000_000, 1_000_000) == "100 %"
    assert wording.share(0, 0) == "0 %"


def test_times() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    spans = {
        0: "now",
        59: "59 s ago",
        60: "1 min ago",
        3599: "59 min ago",
        3600: "1 h ago",
        172_800: "2 days ago",
    }
    for seconds, shown in spans.items():
        assert wording.ago(now - timedelta(seconds=seconds), now) == shown
    assert wording.duration(2.14) == "2.1 s"
    assert wording.duration(185) == "3 min 5 s"
    assert wording.duration(7_860) == "2 h 11 min"
