"""Plans of what must be deployed before a pack: which versions are chosen, and that it always ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from longshore_bundles import Constraint
from longshore_bundles.packs import PackManifest
from longshore_client import Client, planning
from longshore_client.contents import scanned
from longshore_client.errors import DependencyUnsatisfied, PayloadRefused
from longshore_client.needed import Needed
from longshore_client.planning import MOST_VERSIONS, PlannedPack, plan_dependencies
from longshore_client.sources import (
    Deadline,
    Fetched,
    IndexSource,
    Provenance,
    SourceKind,
    SourceNotFound,
    SourceUnavailable,
)

from .indexed import pack_of
from .packs import LOST

Releases = Mapping[str, Mapping[str, Mapping[str, str]]]
"""What a pack needs, by its name and version."""
Plan = Callable[[Releases], Awaitable[list[str]]]


@pytest.fixture
def prefix(project: str) -> str:
    """What the names of a test's packs begin with, so that none of them is live."""
    return f"{project}_"


class Registry:
    """Packs that are written to disk when they are fetched, and how often that was."""

    def __init__(self, folder: Path, prefix: str, releases: Releases) -> None:
        self._folder = folder
        self._prefix = prefix
        self._releases = releases
        self.fetched: list[str] = []

    def pack(self, name: str, version: str) -> Path:
        needs = {f"{self._prefix}{needed}": of for needed, of in self._releases[name][version].items()}
        return pack_of(self._folder, f"{self._prefix}{name}", version, needs)

    def fetch(self, source: IndexSource, _deadline: Deadline) -> Fetched:
        name = source.ref.removeprefix(self._prefix)
        version = Constraint.parse(source.wanted).highest(self._releases.get(name, {}))
        if version is None:
            raise SourceNotFound(f"{source.ref!r} has no version {source.wanted!r}")
        self.fetched.append(f"{name} {version}")
        told = Provenance(SourceKind.ARCHIVE, "somewhere", index="an index")
        return Fetched(self.pack(name, version), told, name=source.ref, version=version)


async def planned(
    client: Client, pack: Path, fetch: Callable[[IndexSource, Deadline], Fetched]
) -> list[PlannedPack]:
    manifest = scanned(pack).manifest
    assert isinstance(manifest, PackManifest)
    return list(await plan_dependencies(client, manifest, "default", fetch))


@pytest.fixture
def told(client: Client, tmp_path: Path, prefix: str) -> Plan:
    """The names and versions that are planned before ``first`` 1.0.0, in order."""

    async def plan(releases: Releases) -> list[str]:
        registry = Registry(tmp_path, prefix, releases)
        plan = await planned(client, registry.pack("first", "1.0.0"), registry.fetch)
        return [f"{each.ref.removeprefix(prefix)} {each.version}" for each in plan]

    return plan


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        ({"first": {"1.0.0": {}}}, []),
        (
            {
                "first": {"1.0.0": {"b": "*", "c": "^1"}},
                "b": {"1.0.0": {"c": ">=1"}},
                "c": {"1.4.0": {}, "2.0.0": {}},
            },
            ["c 1.4.0", "b 1.0.0"],
        ),
        # Alternatives of one pack go with each of the other's.
        (
            {
                "first": {"1.0.0": {"b": "*", "c": "^1 || ^3"}},
                "b": {"1.0.0": {"c": "<2 || >=5"}},
                "c": {version: {} for version in ("1.2.0", "2.0.0", "3.1.0", "5.0.0")},
            },
            ["c 1.2.0", "b 1.0.0"],
        ),
        # What only the version of b needs that is not taken after all is not deployed, and demands nothing.
        (
            {
                "first": {"1.0.0": {"b": "*", "c": "*", "d": "*"}},
                "b": {"2.0.0": {"e": "*", "d": "^1"}, "1.0.0": {}},
                "c": {"1.0.0": {"b": "^1"}},
                "d": {"1.0.0": {}, "2.0.0": {"b": "^1"}},
                "e": {"1.0.0": {}},
            },
            ["b 1.0.0", "d 1.0.0", "c 1.0.0"],
        ),
    ],
    ids=["nothing", "shared", "alternatives", "given-up"],
)
async def test_versions_that_all_need(told: Plan, releases: Releases, expected: list[str]) -> None:
    assert await told(releases) == expected


@pytest.mark.parametrize(
    ("releases", "words"),
    [
        (
            {
                "first": {"1.0.0": {"b": "*", "c": "*"}},
                "b": {"1.0.0": {"d": "^1"}},
                "c": {"1.0.0": {"d": "^2"}},
                "d": {"1.0.0": {}, "2.0.0": {}},
            },
            ["no version of", "_b (^1) and", "_c (^2)"],
        ),
        (
            {"first": {"1.0.0": {"b": "*"}}, "b": {"1.0.0": {"first": "*"}}},
            ["in a circle", "_first → ", "_b → "],
        ),
        # Each version of b leads to the other one of c, and the other way round.
        (
            {
                "first": {"1.0.0": {"b": "*"}},
                "b": {"2.0.0": {"c": "^2"}, "1.0.0": {"c": "^1"}},
                "c": {"2.0.0": {"b": "^1"}, "1.0.0": {"b": "^2"}},
            },
            [f"looked at {MOST_VERSIONS} times"],
        ),
    ],
    ids=["two-versions", "circle", "alternating"],
)
async def test_what_does_not_go_together_is_told(told: Plan, releases: Releases, words: list[str]) -> None:
    with pytest.raises(DependencyUnsatisfied) as refused:
        await told(releases)
    for each in words:
        assert each in refused.value.message


async def test_a_plan_without_an_end_ends(
    client: Client, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_PACKS", 5)

    def fetch(source: IndexSource, _deadline: Deadline) -> Fetched:
        next_one = f"{prefix}{int(source.ref.removeprefix(prefix)) + 1}"
        told = Provenance(SourceKind.ARCHIVE, "somewhere")
        return Fetched(pack_of(tmp_path, source.ref, "1.0.0", {next_one: "*"}), told, source.ref, "1.0.0")

    with pytest.raises(DependencyUnsatisfied, match="more than 5 packs"):
        await planned(client, pack_of(tmp_path, f"{prefix}0", needs={f"{prefix}1": "*"}), fetch)


async def test_what_has_errors_is_not_planned(client: Client, tmp_path: Path, prefix: str) -> None:
    def fetch(source: IndexSource, _deadline: Deadline) -> Fetched:
        pack = pack_of(tmp_path, source.ref, workflow=LOST)
        return Fetched(pack, Provenance(SourceKind.ARCHIVE, "somewhere"), source.ref, "1.0.0")

    with pytest.raises(PayloadRefused, match=f"{prefix}b 1.0.0, needed by {prefix}a") as refused:
        await planned(client, pack_of(tmp_path, f"{prefix}a", needs={f"{prefix}b": "*"}), fetch)
    assert [each.code for each in refused.value.findings] == ["TASK_UNKNOWN"]


async def test_there_is_one_deadline_for_all(
    client: Client, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PLANNED_WITHIN_S", 0.0)

    def fetch(_source: IndexSource, deadline: Deadline) -> Fetched:
        raise AssertionError(deadline.left_s())

    with pytest.raises(SourceUnavailable, match="longer than 0 s"):
        await planned(client, pack_of(tmp_path, f"{prefix}a", needs={f"{prefix}b": "*"}), fetch)


def test_a_constraint_for_all_stays_within_bounds() -> None:
    many = " || ".join(f"{major}.0.0" for major in range(40))
    needed = Needed({"a": many, "b": many, "c": "^3"})
    assert needed.together == "*"
    assert needed.allows("3.0.0")
    assert not needed.allows("4.0.0")
    assert Needed().together == "*"
    assert Needed({"a": "^1"}).together == "^1"
