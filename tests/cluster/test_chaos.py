"""Every kind of fault beside busy clients breaks no rule; and a run can be made again by its seed."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Final

import pytest

from tests.services.etcd_cluster import EtcdCluster
from tests.services.minio_service import MinioService
from tests.services.postgres_service import PostgresService
from tests.services.toxiproxy import ToxiproxyService

from .chaos.__main__ import main
from .chaos.plan import Kind, plan
from .chaos.recording import OK, Recorder
from .chaos.run import CALLS, Run, chaos
from .chaos.telling import told
from .chaos.world import Services
from .history.records import LeftBehind

# One of those that fill the disk first: what failed for it is tried again while the other faults still come.
SEED: Final = 58
FAULTS_FOR_S: Final = 25
KINDS: Final = [
    Kind("cut", ["a", "b"], (1, 2)),
    Kind("killed", ["a", "b", "c"], (0.5, 3)),
    Kind("full", ["a"], (1, 1)),
]


async def test_no_rule_is_broken(
    services_folder: Path,
    postgres_service: PostgresService,
    minio_service: MinioService,
    etcd_cluster: EtcdCluster,
    toxiproxy_service: ToxiproxyService,
) -> None:
    services = Services(postgres_service, minio_service, etcd_cluster, toxiproxy_service)
    place = Path(tempfile.mkdtemp(prefix="chaos-", dir=services_folder))
    try:
        found = await chaos(Run(SEED, lasts_s=FAULTS_FOR_S), services, place, print)
    finally:
        services.mend()
    if found.violations:
        kept = found.recorder.write(Path(tempfile.mkdtemp(prefix=f"chaos-{SEED}-")))
        raise AssertionError(f"{told(found)}\nthe history is in {kept}")
    assert found.recorder.outcomes().keys() == set(CALLS)
    assert all(counts[OK] for counts in found.recorder.outcomes().values())


def test_a_seed_makes_the_same_faults_again() -> None:
    faults = list(islice(plan(7, KINDS), 60))
    assert faults == list(islice(plan(7, KINDS), 60))
    assert faults != list(islice(plan(8, KINDS), 60))
    for begin in range(0, len(faults), len(KINDS)):
        assert {fault.kind for fault in faults[begin : begin + len(KINDS)]} == {kind.name for kind in KINDS}


def test_a_kept_history_is_asked_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for records, status in (([], 0), ([LeftBehind(at=1, where="etcd", what="a lock")], 1)):
        kept = Recorder(records).write(tmp_path)
        assert main(["--check", str(kept)]) == status
        assert capsys.readouterr().out.splitlines()[-1] == f"{len(records)} violations"
