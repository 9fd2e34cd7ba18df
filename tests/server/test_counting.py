"""What commands count is told in the right number."""

from __future__ import annotations

import pytest

from longshore_server.counting import counted, tally


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 pack files"), (1, "1 pack file"), (2, "2 pack files"), (1_000, "1000 pack files")],
)
def test_so_many(count: int, told: str) -> None:
    assert counted(count, "pack file") == told
    assert tally(count, "pack file", "read") == f"{count:>9}  {told.partition(' ')[2]} read"


def test_a_word_of_its_own() -> None:
    assert [counted(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]
