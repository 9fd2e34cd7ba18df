from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semver import Version

from longshore_bundles import Bump, InvalidVersion, bump_version, case_folded, check_version, order_key

_numbers = st.one_of(st.integers(0, 12), st.integers(0, 10**24)).map(str)
_identifiers = st.one_of(
    _numbers,
    st.sampled_from(["rc", "RC", "alpha", "a-", "a", "-", "--", "0a", "a0", "-1", "A"]),
    st.from_regex(r"\A[0-9]{0,4}[A-Za-z-][0-9A-Za-z-]{0,5}\Z"),
)
_versions = st.builds(
    lambda core, pre: ".".join(core) + ("-" + ".".join(pre) if pre else ""),
    st.tuples(_numbers, _numbers, _numbers),
    st.lists(_identifiers, max_size=4),
).filter(lambda v: len(v) <= 100)


@settings(deadline=None)
@given(_versions, _versions)
def test_byte_order_of_the_keys_is_precedence(one: str, two: str) -> None:
    keys = order_key(one).encode("ascii"), order_key(two).encode("ascii")
    assert (keys[0] > keys[1]) - (keys[0] < keys[1]) == Version.parse(one).compare(two)
    assert (keys[0] == keys[1]) == (one == two)


def test_the_order_of_the_specification() -> None:
    ordered = [
        *("0.0.0-0", "0.0.1", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1"),
        *("1.0.0-alpha.beta", "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1"),
        *("1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0", "10.0.0"),
    ]
    for lower, higher in itertools.pairwise(ordered):
        assert order_key(lower) < order_key(higher), (lower, higher)


@pytest.mark.parametrize("version", [f"0.0.0-{'0.' * 46}aa", f"{'9' * 96}.0.0", f"0.0.0-{'9' * 94}"])
def test_keys_of_the_longest_versions_stay_short(version: str) -> None:
    assert len(order_key(version)) <= 256


@settings(deadline=None)
@given(_versions, st.sampled_from(list(Bump)))
def test_a_bump_is_higher_final_and_the_next(version: str, bump: Bump) -> None:
    bumped = bump_version(version, bump)
    assert order_key(bumped) > order_key(version)
    assert Version.parse(bumped).prerelease is None
    assert bumped == str(Version.parse(bumped))


@pytest.mark.parametrize(
    ("version", "major", "minor", "patch"),
    [
        ("1.2.3", "2.0.0", "1.3.0", "1.2.4"),
        ("1.2.3-rc.1", "2.0.0", "1.3.0", "1.2.3"),
        ("1.3.0-rc.1", "2.0.0", "1.3.0", "1.3.0"),
        ("2.0.0-rc.1", "2.0.0", "2.0.0", "2.0.0"),
        ("0.0.9", "1.0.0", "0.1.0", "0.0.10"),
    ],
)
def test_bumps(version: str, major: str, minor: str, patch: str) -> None:
    assert [bump_version(version, bump) for bump in (Bump.MAJOR, Bump.MINOR, Bump.PATCH)] == [
        major,
        minor,
        patch,
    ]


def test_a_bump_beyond_the_longest_version_is_an_error() -> None:
    with pytest.raises(InvalidVersion, match="longer than 100"):
        bump_version("9" * 96 + ".0.0", Bump.MAJOR)


@pytest.mark.parametrize(
    "version",
    [
        "",
        "1",
        "1.2",
        "v1.2.3",
        "01.2.3",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3 ",
        "1.2.3\n",
        "1.2.3-é",
        "١.2.3",
        "1.2.-3",
        "1.2.3-\udcff",
    ],
)
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(InvalidVersion, match=r"MAJOR\.MINOR\.PATCH"):
        check_version(version)


def test_build_metadata_and_length_are_named() -> None:
    with pytest.raises(InvalidVersion, match="leave out the '\\+'"):
        check_version("1.0.0+build")
    assert check_version("1.0.0-" + "a" * 94)
    with pytest.raises(InvalidVersion, match="longer than 100"):
        check_version("1.0.0-" + "a" * 95)


def test_case_folding() -> None:
    assert case_folded("1.0.0-RC.1") == case_folded("1.0.0-rc.1") == "1.0.0-rc.1"
