"""How much is measured: full sizes, which count, and quick ones, which only show that everything runs."""

from __future__ import annotations

from dataclasses import dataclass

from longshore_client import Way

from .packages import Package

MIB = 1 << 20
GIB = 1 << 30

_ESBUILD = "@esbuild/linux-x64"

_NEXT = Package("npm", "next", "15.3.2", "bc9283570455512e271612d5d5016eec61e02b59f3a189212c721f0135bf5aa6")
_TYPESCRIPT = Package(
    "npm", "typescript", "5.8.3", "72e75dbeb92c2e6eb9a34cb59d74fab5c2ee6f32a0324a89405f6165d5a08374"
)
_WEBPACK = Package(
    "npm", "webpack", "5.99.9", "2382f23c1e85641b38cc9d374ca3a50d8c396a51925dfca5f0e747a35f356675"
)
_MONACO = Package(
    "npm", "monaco-editor", "0.52.2", "c280cdcf0b0c13d1a2bf01af958d4387ed06d7f6c918401d00c4adcae1bc72b6"
)


@dataclass(frozen=True)
class ReleasePair:
    """A release and the one that came next."""

    older: Package
    newer: Package

    def __str__(self) -> str:
        return f"{self.older} → {self.newer.version}"


_TYPESCRIPT_PAIR = ReleasePair(
    Package("npm", "typescript", "5.8.2", "ef938a45323df5775664ea5d55e8bc0ab2027a40db1ff857bb957fe7bbaa4434"),
    _TYPESCRIPT,
)
_RELEASES = (
    ReleasePair(
        Package("npm", "next", "15.3.1", "e1b2c3ca9e5dfaaa05230f64aae44f3f637548b6f8b4e5edfd56bab91155625e"),
        _NEXT,
    ),
    _TYPESCRIPT_PAIR,
    ReleasePair(
        Package(
            "pypi", "django", "5.2.1", "57fe1f1b59462caed092c80b3dd324fd92161b620d59a9ba9181c34746c97284"
        ),
        Package(
            "pypi", "django", "5.2.2", "85852e517f84435e9b13421379cd6c43ef5b48a9c8b391d29a26f7900967e952"
        ),
    ),
    ReleasePair(
        Package(
            "npm", "webpack", "5.99.8", "0476665eee672dc56cffc7338ee02d99ccf3c973780f304a02ff40e0d4850ee3"
        ),
        _WEBPACK,
    ),
    # One program of 10 MB, compiled anew: the hard case.
    ReleasePair(
        Package(
            "npm", _ESBUILD, "0.25.3", "534dae8407701fd8dd441109d43d98e1ffd9487c76168bec69ec4383194f40b8"
        ),
        Package(
            "npm", _ESBUILD, "0.25.4", "387f77dd2ed4f66ab2b02150943554c6131431a7df36a62191112ec21453f009"
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Of every row; ``pairs`` is how often both sides of a comparison take turns."""

    name: str
    pairs: int
    payload_bytes: int
    large_payload_bytes: int
    uploads_at_once: int
    collected_releases: int
    listed_deployments: int
    followers: tuple[int, int]
    followed_events: int
    bundles: int
    kept_files: int
    idle_s: int
    fleets: tuple[int, ...]
    fan_out_nodes: int
    fan_out_payload_bytes: int
    fan_out_bytes_per_s: int
    checksummed_files: int
    idle_streams: int
    calls: int
    ways: tuple[Way, ...] = (Way.THRIFTY, Way.PLAIN)
    tree: tuple[Package, ...]
    releases: tuple[ReleasePair, ...]


FULL = Sizes(
    name="full",
    pairs=5,
    payload_bytes=GIB,
    large_payload_bytes=4 * GIB,
    uploads_at_once=8,
    collected_releases=10_000,
    listed_deployments=1_000_000,
    followers=(1_000, 10_000),
    followed_events=120,
    bundles=50,
    kept_files=10_000,
    idle_s=60,
    fleets=(100, 200, 300),
    fan_out_nodes=8,
    fan_out_payload_bytes=50_000_000,
    fan_out_bytes_per_s=4_000_000,
    checksummed_files=20_000,
    idle_streams=5_000,
    calls=500,
    tree=(_NEXT, _MONACO, _TYPESCRIPT, _WEBPACK),
    releases=_RELEASES,
)
QUICK = Sizes(
    name="quick",
    pairs=2,
    payload_bytes=128 * MIB,
    large_payload_bytes=256 * MIB,
    uploads_at_once=3,
    collected_releases=200,
    listed_deployments=20_000,
    followers=(100, 1_000),
    followed_events=20,
    bundles=10,
    kept_files=1_000,
    idle_s=15,
    fleets=(20, 60),
    fan_out_nodes=3,
    fan_out_payload_bytes=8_000_000,
    fan_out_bytes_per_s=2_000_000,
    checksummed_files=2_000,
    idle_streams=500,
    calls=100,
    tree=(_TYPESCRIPT, _WEBPACK),
    releases=(_TYPESCRIPT_PAIR,),
)
