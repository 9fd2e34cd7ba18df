"""What a pack needs, against what there is."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import (
    Dependency,
    Finding,
    Severity,
    cycle_findings,
    dependency_cycles,
    dependency_findings,
    runtime_findings,
    runtime_version,
)


def test_packs_that_are_missing_or_of_another_version_are_told() -> None:
    required = [
        Dependency("core"),
        Dependency("dns", "^2.1"),
        Dependency("net", ">=1.9"),
        Dependency("gone", "1"),
    ]
    found = dependency_findings(
        required, {"core": "0.1.0", "dns": "3.0.0", "net": "1.10.0"}, path="pack.yaml"
    )
    assert found == [
        Finding(
            "DEPENDENCY_UNSATISFIED",
            Severity.ERROR,
            "Pack 'dns' version 3.0.0 does not satisfy constraint '^2.1'",
            "pack.yaml",
        ),
        Finding("DEPENDENCY_MISSING", Severity.ERROR, "Required pack 'gone' is not installed", "pack.yaml"),
    ]


def test_a_prerelease_does_not_satisfy_who_did_not_ask_for_one() -> None:
    assert dependency_findings([Dependency("dns")], {"dns": "1.0.0-rc.1"})
    assert not dependency_findings([Dependency("dns", ">=1.0.0-rc.0")], {"dns": "1.0.0-rc.1"})


def test_runtimes_that_are_missing_or_of_another_version_are_told() -> None:
    required = {"python": ">=3.11", "nodejs": ">=18", "shell": "*", "ruby": "^3", "lua": "*"}
    answers = {
        "python": "Python 3.9.2",
        "nodejs": "v18",
        "shell": "GNU bash, version 5.2.21(1)-release",
        "lua": "?",
    }
    found = runtime_findings(required, {**answers, "ruby": None}, path="pack.yaml")
    assert [(each.code, each.message) for each in found] == [
        ("RUNTIME_UNSATISFIED", "Runtime 'python' version 3.9.2 does not satisfy constraint '>=3.11'"),
        ("RUNTIME_MISSING", "Runtime 'ruby' not found"),
        ("RUNTIME_MISSING", "Runtime 'lua' not found"),
    ]


def test_what_cannot_be_judged_is_a_finding_too() -> None:
    (pack,) = dependency_findings([Dependency("dns", "newest")], {"dns": "1.0.0"})
    assert pack.message.startswith("Pack 'dns' cannot be judged: 'newest' is no constraint on versions")
    (version,) = dependency_findings([Dependency("dns", "*")], {"dns": "1.0"})
    assert "'1.0' is not a version of SemVer" in version.message
    (runtime,) = runtime_findings({"python": "~=3.11"}, {"python": "Python 3.11.4"})
    assert runtime.code == "RUNTIME_UNSATISFIED"


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("Python 3.11.4", "3.11.4"),
        ("v20.20.2", "20.20.2"),
        ("go version go1.22 linux/amd64", "1.22"),
        ("openjdk 21 2023-09-19", "21"),
        ("3.14.0rc1", "3.14.0"),
        ("1.2.3.4", "1.2.3"),
        ("08.01", "8.1"),
        ("command not found", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_the_version_in_an_answer(answer: str, version: str | None) -> None:
    assert runtime_version(answer) == version


def test_cycles_are_named_from_who_needs_to_what_is_needed() -> None:
    needs = {"a": ["b", "x"], "b": ["c"], "c": ["a"], "d": ["d"], "e": ["a"], "x": ["nowhere"]}
    assert dependency_cycles(needs) == [("a", "b", "c", "a"), ("d", "d")]
    assert [each.code for each in cycle_findings(needs)] == ["DEPENDENCY_CYCLE"] * 2
    assert cycle_findings(needs)[0].message == (
        "Packs need each other in a circle: a → b → c → a: take one of these dependencies out"
    )
    assert cycle_findings({"a": ["b"], "b": []}) == []


def test_a_circle_of_ten_thousand_packs_is_found_and_shown_in_part() -> None:
    long = {f"p{number:05}": [f"p{(number + 1) % 10_000:05}"] for number in range(10_000)}
    assert len(dependency_cycles(long)[0]) == 10_001
    assert len(cycle_findings(long)[0].message) < 1000


_refs = st.sampled_from("abcdefg")


@settings(deadline=None)
@given(st.dictionaries(_refs, st.sets(_refs)))
def test_every_cycle_is_one_and_there_is_one_wherever_a_ref_needs_itself(needs: dict[str, set[str]]) -> None:
    cycles = dependency_cycles(needs)
    for cycle in cycles:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert all(after in needs[before] for before, after in itertools.pairwise(cycle))
    assert bool(cycles) == any(_reaches(needs, ref, ref) for ref in needs)
    assert dependency_cycles(dict(reversed(needs.items()))) == cycles


def _reaches(needs: dict[str, set[str]], start: str, goal: str) -> bool:
    reached: set[str] = set()
    waiting = {start}
    while waiting:
        needed = needs.get(waiting.pop(), set()) - reached
        reached |= needed
        waiting |= needed
    return goal in reached
