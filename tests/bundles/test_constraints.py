"""What a constraint allows: against npm's own ``semver``, by FORMATS.md's rules, and by its algebra."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import Constraint, InvalidConstraint, InvalidVersion, check_constraint, highest

_NPM_SEMVER = """
const semver = require(process.argv[1]);
const {constraints, versions} = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const comparable = versions.map(version => new semver.SemVer(version));
console.log(JSON.stringify(constraints.map(text => {
  const ranges = text.replaceAll(',', ' ').split('||').map(each => new semver.Range(each));
  return comparable.map(version => ranges.some(range => range.test(version)) ? 1 : 0).join('');
})));
"""
# Alternatives one by one: beside a bare `*` npm forgets the others, also those that ask for prereleases.


def _numbers(draw: random.Random) -> list[str]:
    return [str(draw.choice([0, 0, 1, 2, 3, 10])) for _ in range(3)]


def _prerelease(draw: random.Random) -> str:
    return draw.choice(["0", "1", "rc", "rc.1", "rc.2", "rc.10", "alpha", "Beta", "-", "rc-1.0"])


def _version(draw: random.Random) -> str:
    core = ".".join(_numbers(draw))
    return f"{core}-{_prerelease(draw)}" if draw.random() < 0.4 else core


def _term(draw: random.Random) -> str:
    operator = draw.choice([">=", "<=", ">", "<", "=", "^", "~", ""])
    shape = draw.random()
    if shape < 0.5:
        return operator + draw.choice(["", " "]) * bool(operator) + _version(draw)
    if shape < 0.9:
        known = draw.randint(1, 2)
        wildcards = draw.choice([[], [], ["*"], ["x"], ["*", "X"][: 3 - known]])
        return operator + ".".join([*_numbers(draw)[:known], *wildcards])
    return draw.choice(["*", "x", ">=*", "=*", "^*", "~*", "<=X", "*.*"])


def _constraint(draw: random.Random) -> str:
    return draw.choice(["||", " || "]).join(
        draw.choice([",", ", "]).join(_term(draw) for _ in range(draw.choice([1, 1, 2, 3])))
        for _ in range(draw.choice([1, 1, 1, 2]))
    )


def test_npm_allows_the_same() -> None:
    root = _npm_root()
    draw = random.Random(20261122)
    # npm takes `>=0.0.0` for any version, so that it may allow prereleases of that one.
    versions = sorted(each for each in {_version(draw) for _ in range(400)} if "0.0.0-" not in each)
    constraints = sorted({_constraint(draw) for _ in range(2000)})
    answered = subprocess.run(
        ["node", "-e", _NPM_SEMVER, str(root / "npm" / "node_modules" / "semver")],
        input=json.dumps({"constraints": constraints, "versions": versions}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    wanted = json.loads(answered.stdout)
    allowed = 0
    for text, row in zip(constraints, wanted, strict=True):
        constraint = Constraint.parse(text)
        # Enough pairs, other ones for every constraint, and no minute spent on them.
        for place in draw.sample(range(len(versions)), 25):
            assert constraint.allows(versions[place]) == (row[place] == "1"), (text, versions[place])
            allowed += row[place] == "1"
    assert allowed > 4_000


def _npm_root() -> Path:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("the reference for constraints is npm's own semver: install Node.js with npm")
    root = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=True, timeout=60)
    return Path(root.stdout.strip())


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("1.4.0", ["1.4.0"], ["1.4.1", "1.3.9", "1.4.0-rc.1"]),
        ("=1.4.0-rc.1", ["1.4.0-rc.1"], ["1.4.0", "1.4.0-rc.2"]),
        ("^1.2.3", ["1.2.3", "1.10.0"], ["1.2.2", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.10"], ["0.3.0", "0.2.2", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
        ("^0", ["0.0.1", "0.9.0"], ["1.0.0"]),
        ("~1.2.3", ["1.2.3", "1.2.30"], ["1.3.0", "1.2.2"]),
        ("^1.0.0-rc.1", ["1.0.0-rc.1", "1.0.0", "1.9.0"], ["1.0.0-beta", "1.1.0-rc.1", "2.0.0"]),
        (">=1.2, <2", ["1.2.0", "1.10.1"], ["1.1.9", "2.0.0", "2.0.0-rc.1"]),
        (">=1.10.0", ["1.10.0", "1.100.0"], ["1.9.0", "1.2.0"]),
        ("<1.0.0 || >=2.0.0", ["0.9.0", "2.0.0"], ["1.0.0", "1.9.9"]),
        ("*", ["0.0.0", "99.0.0"], ["1.0.0-rc.1"]),
        ("1.*", ["1.0.0", "1.9.9"], ["0.9.0", "2.0.0"]),
        (">=3.11", ["3.11.0", "3.12.4"], ["3.9.2", "3.10.9"]),
        (">=18", ["18.0.0", "20.20.2"], ["16.20.0"]),
        ("!=1.2.3", ["1.2.2", "1.2.4"], ["1.2.3", "1.2.3-rc.1"]),
        ("!=1.2", ["1.1.9", "1.3.0"], ["1.2.0", "1.2.9"]),
        (">=1.2.3-rc.1, !=1.2.3-rc.2", ["1.2.3-rc.1", "1.2.3-rc.3", "1.2.3"], ["1.2.3-rc.2"]),
        (">=1.2.0-0, !=1.2", ["1.3.0"], ["1.2.0", "1.2.0-rc.1", "1.2.5"]),
        (">=1.2.3-rc.1, !=1.2.3", ["1.2.3-rc.1", "1.2.4"], ["1.2.3"]),
        ("!=1.2.3-rc.1", ["1.2.3"], ["1.2.3-rc.1", "1.2.3-rc.2"]),
        (">2, <1", [], ["0.5.0", "1.5.0", "2.5.0"]),
    ],
)
def test_what_is_allowed(constraint: str, allowed: list[str], refused: list[str]) -> None:
    parsed = Constraint.parse(constraint)
    assert [version for version in allowed if not parsed.allows(version)] == []
    assert [version for version in refused if parsed.allows(version)] == []


_seeds = st.integers(0, 2**32).map(random.Random)


@settings(deadline=None)
@given(_seeds)
def test_not_equal_is_the_opposite_of_equal_among_releases(draw: random.Random) -> None:
    written = ".".join(_numbers(draw)[: draw.randint(1, 3)])
    release = ".".join(_numbers(draw))
    assert Constraint.parse(f"!={written}").allows(release) != Constraint.parse(f"={written}").allows(release)


@settings(deadline=None)
@given(_seeds)
def test_a_comma_means_and_two_bars_mean_or(draw: random.Random) -> None:
    one, two, version = _constraint(draw), _constraint(draw), _version(draw)
    either = [Constraint.parse(text).allows(version) for text in (one, two)]
    assert Constraint.parse(f"{one}||{two}").allows(version) == any(either)
    one, two, release = _term(draw), _term(draw), ".".join(_numbers(draw))
    both = [Constraint.parse(text).allows(release) for text in (one, two)]
    assert Constraint.parse(f"{one},{two}").allows(release) == all(both)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=30), st.text("0123456789.<>=!^~*x|, -rc+v", max_size=20)))
def test_any_text_is_read_or_refused_with_advice(text: str) -> None:
    try:
        constraint = Constraint.parse(text)
    except InvalidConstraint as refused:
        told = refused.message
    else:
        assert check_constraint(text) == text
        assert constraint.allows("1.2.3") in (True, False)
        return
    assert "'>=1.2, <2'" in told


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            ",",
            "||",
            "1.0.0||",
            ">=1,",
            ">=",
            "1.2.3.4",
            "01.2.3",
            "1.02",
            "v1.2.3",
            "==1.2.3",
            "~=1.2",
        ),
        *("1.2-rc.1", "1.*.3", "*.1", "<*", ">x", "!=*", "1.2.3+build", ">=1 <2", "1.2.3 - 2.0.0", "latest"),
        *(
            "-" * 500,
            "1.2.3-01",
            "1.2.3-a..b",
            "１.2.3",
            "1.2.3\n>=2",
            "=>1.2",
            "--help",
            "../1.0.0",
            "9" * 501,
        ),
    ],
)
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(InvalidConstraint) as caught:
        Constraint.parse(text)
    assert len(caught.value.message) < 400


def test_the_message_names_the_term_that_is_wrong() -> None:
    with pytest.raises(InvalidConstraint, match=r"^'latest' in '>=1, latest' is no constraint on versions: "):
        Constraint.parse(">=1, latest")


def test_highest() -> None:
    versions = ["1.9.0", "1.10.0", "2.0.0-rc.1", "0.1.0"]
    assert highest(versions, "^1") == "1.10.0"
    assert highest(versions, "*") == "1.10.0"
    assert highest(versions, ">=2.0.0-rc.1") == "2.0.0-rc.1"
    assert highest(versions, ">5") is None
    assert highest([], "*") is None
    with pytest.raises(InvalidVersion):
        highest(["1.0"], "*")
