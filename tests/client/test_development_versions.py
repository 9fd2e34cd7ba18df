"""Versions of development: valid, new, and in their order whatever there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_bundles.versions import check_version, order_key
from longshore_client.cli.development_versions import development_version, is_development
from longshore_client.cli.editor_files import is_left_by_editor

NUMBER = st.integers(0, 3).map(str)
CORE = st.lists(NUMBER, min_size=3, max_size=3).map(".".join)
TAIL = st.sampled_from(["", "", "-rc.1", "-dev", "-dev.2", "-rc.1.dev.3", "-DEV.4", "-x-y.0", "-dev.1.x"])
VERSION = st.builds(str.__add__, CORE, TAIL)


@pytest.mark.parametrize(
    ("wanted", "taken", "version"),
    [
        ("1.4.0", [], "1.4.0-dev.1"),
        ("1.4.0", ["1.4.0-dev.9", "1.4.0-dev.10"], "1.4.0-dev.11"),
        ("1.4.0", ["1.4.0", "1.4.0-dev.2"], "1.4.1-dev.1"),
        ("1.4.0", ["1.4.0", "1.4.1", "1.4.2-dev.1"], "1.4.2-dev.2"),
        ("1.5.0-rc.1", ["1.5.0-rc.1"], "1.5.0-rc.1.dev.1"),
        ("", [], "1.0.0-dev.1"),
        ("", ["1.0.0", "0.9.0"], "1.0.1-dev.1"),
        ("", ["1.0.0", "1.0.1-dev.1"], "1.0.1-dev.2"),
        ("", ["2.0.0-rc.1"], "2.0.0-rc.1.dev.1"),
        ("", ["2.0.0-rc.1.dev.1", "2.0.0-rc.1"], "2.0.0-rc.1.dev.2"),
    ],
)
def test_examples(wanted: str, taken: list[str], version: str) -> None:
    assert development_version(wanted, taken) == version


@given(wanted=st.just("") | VERSION, taken=st.sets(VERSION, max_size=8))
def test_one_after_the_other_rises(wanted: str, taken: set[str]) -> None:
    """Each is valid, free, and above those before; without a wish it is above everything."""
    before = ""
    for _ in range(3):
        version = check_version(development_version(wanted, taken))
        assert is_development(version)
        assert version.lower() not in {each.lower() for each in taken}
        assert order_key(version) > before
        if not wanted:
            assert all(order_key(version) > order_key(each) for each in taken)
        before = order_key(version)
        taken = {*taken, version}


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0-rc.1", "1.0.0-developed.1", "1.0.0-dev"])
def test_what_is_none(version: str) -> None:
    assert not is_development(version)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        *(
            (name, True)
            for name in (".a.yaml.swp", "4913", "a~", ".#a", "#a#", "a.py___jb_tmp___", ".DS_Store")
        ),
        *((name, False) for name in ("a.swp", "49130", "~a", "#a", "a#", ".swap", "tmp", "a.tmp")),
    ],
)
def test_what_editors_leave(name: str, left: bool) -> None:
    assert is_left_by_editor(name) is left
