"""The table of an archive's paths against a dictionary."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from longshore_bundles.entry_rules import EntryKind, SeenPaths
from longshore_bundles.path_table import PathTable

# Few bytes, so that many stand in one array and the end of one looks like the beginning of another.
DIGESTS = st.lists(st.sampled_from([0, 16]), min_size=12, max_size=12).map(bytes)


@given(
    st.dictionaries(DIGESTS, st.tuples(DIGESTS, st.integers(min_value=0, max_value=255))), st.lists(DIGESTS)
)
def test_finds_what_was_added_and_nothing_else(
    known: dict[bytes, tuple[bytes, int]], others: list[bytes]
) -> None:
    table = PathTable()
    for folded, (exact, number) in known.items():
        table.add(folded, exact, number)
    for folded in (*known, *others):
        assert table.find(folded) == known.get(folded)


def test_no_two_tables_have_one_digest() -> None:
    one, other = PathTable(), PathTable()
    assert one.digest("a") == one.digest("a") != other.digest("a")


def test_the_memory_of_a_path() -> None:
    count = 50_000
    tracemalloc.start()
    seen = SeenPaths()
    for number in range(count):
        seen.add(f"{'long/' * 20}{number}", EntryKind.FILE)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown / count < 45
