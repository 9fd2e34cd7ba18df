"""Every row runs to its end at a tiny size and measures what the table asks of it."""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.packages import Package
from benchmarks.results import Measured
from benchmarks.rows import (
    ROWS,
    audit,
    collecting,
    fan_out,
    fleet,
    idle,
    latency,
    lists,
    no_bytes,
    peer_edits,
    takeover,
)
from benchmarks.services import Services
from benchmarks.sizes import MIB, ReleasePair, Sizes
from benchmarks.stage import Bench
from benchmarks.targets import targets_of
from longshore_client import Way
from tests.services.etcd_cluster import EtcdCluster
from tests.services.minio_service import MinioService
from tests.services.postgres_service import PostgresService

# One of the rivals is kept away below.
NEED_RIVALS = {"releases.wire"}
ON_PEERS = {
    "fan-out": fan_out.measure_on,
    "peer-edits": peer_edits.measure_on,
    "no-bytes": no_bytes.measure_on,
}
# Measured by tests of their own, on the session's services.
ON_SERVICES = (
    *("gc", "lists", "latency", "idle", "followers-10000", "takeover", "fleet", "audit"),
    *ON_PEERS,
)
# What differs from another row by a number only is measured by it.
ON_MINIO = [name for name in ROWS if name not in ON_SERVICES]


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Package]:
    """Makes releases that are in the cache already, so that no registry is asked."""
    monkeypatch.setattr("benchmarks.packages.cache_folder", lambda: tmp_path / "cache" / "services")
    folder = tmp_path / "cache" / "benchmarks"
    folder.mkdir(parents=True)

    def make(name: str, version: str) -> Package:
        files = {
            "package.json": json.dumps({"name": name, "version": version}).encode(),
            "lib/same.bin": random.Random(name).randbytes(300_000),
            "lib/code.js": b"const version = '%s'\n" % version.encode() + b"// the same line\n" * 5_000,
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for path, content in files.items():
                member = tarfile.TarInfo(f"package/{path}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
        (folder / f"{sha256}.tgz").write_bytes(packed.getvalue())
        return Package("npm", name, version, sha256)

    return make


@pytest.fixture
def bench(
    minio_service: MinioService,
    archives: Callable[[str, str], Package],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    # Building it takes minutes: what is told about a rival that is not there is tried instead.
    monkeypatch.setenv("LONGSHORE_BENCH_RESTIC", str(tmp_path / "no-restic"))
    older, newer = archives("tiny", "1.0.0"), archives("tiny", "1.0.1")
    sizes = Sizes(
        name="tiny",
        pairs=1,
        payload_bytes=3 * MIB,
        large_payload_bytes=4 * MIB,
        uploads_at_once=2,
        collected_releases=100,
        listed_deployments=400,
        followers=(20, 40),
        followed_events=4,
        bundles=1,
        kept_files=20,
        checksummed_files=50,
        idle_streams=40,
        calls=5,
        idle_s=1,
        fleets=(2, 3),
        fan_out_nodes=2,
        fan_out_payload_bytes=MIB,
        fan_out_bytes_per_s=4 * MIB,
        # The other one differs by an option: every process that is started costs a second.
        ways=(Way.THRIFTY,),
        tree=(older, archives("other", "1.0.0")),
        releases=(ReleasePair(older, newer),),
    )
    return Bench(sizes, minio_service, tmp_path, print)


@pytest.mark.parametrize("name", ON_MINIO)
async def test_a_row_on_minio(name: str, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    measured = await ROWS[name](bench)
    assert_measured(name, measured)
    if name == "releases":
        assert "NOT MEASURED: LONGSHORE_BENCH_RESTIC" in capsys.readouterr().out


async def test_collecting(bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster) -> None:
    measured = await collecting.measure_on(bench, postgres_service, etcd_cluster)
    assert_measured("gc", measured)


async def test_lists(bench: Bench, postgres_service: PostgresService) -> None:
    assert_measured("lists", await lists.measure_on(bench, postgres_service))


async def test_latency(bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster) -> None:
    started = Services(postgres_service, etcd_cluster)
    assert_measured("latency", await latency.measure_on(bench, started))


async def test_idle(bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster) -> None:
    started = Services(postgres_service, etcd_cluster)
    assert_measured("idle", await idle.measure_on(bench, started))


async def test_audit(bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster) -> None:
    started = Services(postgres_service, etcd_cluster)
    assert_measured("audit", await audit.measure_on(bench, started))


async def test_takeover(bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster) -> None:
    started = Services(postgres_service, etcd_cluster)
    assert_measured("takeover", await takeover.measure_on(bench, started))


async def test_fleet(bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster) -> None:
    started = Services(postgres_service, etcd_cluster)
    assert_measured("fleet", await fleet.measure_on(bench, started))


@pytest.mark.parametrize("name", ON_PEERS)
async def test_a_row_on_peers(
    name: str, bench: Bench, postgres_service: PostgresService, etcd_cluster: EtcdCluster
) -> None:
    measured = await ON_PEERS[name](bench, Services(postgres_service, etcd_cluster))
    assert_measured(name, measured)
    if name == "no-bytes":
        assert {value for values in measured.figures.values() for value in values} == {0}


def assert_measured(name: str, measured: Measured) -> None:
    """All of the row's targets have a value, and JSON can keep the details."""
    wanted = {target.name for target in targets_of(name)}
    assert measured.figures.keys() == {each for each in wanted if not each.endswith("plain")} - NEED_RIVALS
    assert all(values and all(map(math.isfinite, values)) for values in measured.figures.values())
    json.dumps(measured.details, allow_nan=False)
