"""The pytest plugin: services on demand, started once per session, and a clean place in them per test.

A test that names a fixture of a service which is neither found nor built is skipped with one line that
says how to get it; with ``LONGSHORE_REQUIRE_SERVICES=1`` it fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from .binaries import ETCD, GRPCURL, MINIO, TOXIPROXY, Program, ServiceMissingError, find
from .etcd_cluster import EtcdCluster
from .etcd_tls_cluster import EtcdTlsCluster
from .folders import session_folder
from .minio_cluster import MinioCluster
from .minio_service import MinioService
from .missing import do_without
from .postgres_programs import find_postgres
from .postgres_service import PostgresService
from .toxiproxy import ToxiproxyService


@pytest.fixture(scope="session")
def services_folder() -> Iterator[Path]:
    """Where the session's services keep data and logs; gone afterwards."""
    with session_folder(in_memory=True) as folder:
        yield folder


@pytest.fixture(scope="session")
def minio_service(services_folder: Path, pytestconfig: pytest.Config) -> Iterator[MinioService]:
    with MinioService(_find(MINIO, pytestconfig), services_folder / "minio") as service:
        yield service


@pytest.fixture(scope="module")
def minio_cluster(services_folder: Path, pytestconfig: pytest.Config) -> Iterator[MinioCluster]:
    """Four servers with erasure coding, for the tests of one file: they take 450 MB of memory."""
    program = _find(MINIO, pytestconfig)
    folder = Path(tempfile.mkdtemp(prefix="minio-cluster-", dir=services_folder))
    with MinioCluster(program, folder) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def etcd_cluster(services_folder: Path, pytestconfig: pytest.Config) -> Iterator[EtcdCluster]:
    """Three members, plain."""
    with EtcdCluster(_find(ETCD, pytestconfig), services_folder / "etcd") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def etcd_tls_cluster(services_folder: Path, pytestconfig: pytest.Config) -> Iterator[EtcdTlsCluster]:
    """One member behind mutual TLS, with a user who is bound to a prefix."""
    with EtcdTlsCluster(_find(ETCD, pytestconfig), services_folder / "etcd-tls") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_service(services_folder: Path) -> Iterator[PostgresService]:
    try:
        programs = find_postgres(services_folder)
    except ServiceMissingError as missing:
        do_without(missing)
    with PostgresService(programs, services_folder / "postgres") as service:
        yield service


@pytest.fixture(scope="session")
def toxiproxy_service(services_folder: Path, pytestconfig: pytest.Config) -> Iterator[ToxiproxyService]:
    with ToxiproxyService(_find(TOXIPROXY, pytestconfig), services_folder / "toxiproxy") as service:
        yield service


@pytest.fixture(scope="session")
def grpcurl(pytestconfig: pytest.Config) -> Path:
    """The program ``grpcurl``: a client that knows nothing of ours."""
    return _find(GRPCURL, pytestconfig)


@pytest.fixture
def bucket(minio_service: MinioService) -> Iterator[str]:
    """A fresh bucket on ``minio_service``."""
    with minio_service.fresh_bucket() as name:
        yield name


@pytest.fixture
def s3_url(minio_service: MinioService, bucket: str) -> str:
    """``bucket`` in the form of the setting ``blobs.url``."""
    return minio_service.url(bucket)


@pytest.fixture
def etcd_prefix(etcd_cluster: EtcdCluster) -> Iterator[str]:
    """A fresh prefix on ``etcd_cluster``, with no slash around it."""
    with etcd_cluster.fresh_prefix() as prefix:
        yield prefix


@pytest.fixture
def etcd_url(etcd_cluster: EtcdCluster, etcd_prefix: str) -> str:
    """``etcd_prefix`` in the form of the setting ``coordination.url``."""
    return etcd_cluster.url(etcd_prefix)


@pytest.fixture
def postgres_database(postgres_service: PostgresService) -> Iterator[str]:
    """A fresh, empty database in the form of the setting ``database.url``."""
    with postgres_service.fresh_database() as name:
        yield postgres_service.url(name)


def _find(program: Program, config: pytest.Config) -> Path:
    capture = config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        # A person waits: this must be seen now, not with the captured output of a failure.
        with capture.global_and_fixture_disabled():
            print(f"\n[services] {line}", flush=True)

    try:
        return find(program, say).path
    except ServiceMissingError as missing:
        do_without(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of all tests that lack one service in one line, where pytest would write one for each test."""
    report = yield
    if report.skipped and call.excinfo and isinstance(call.excinfo.value.__context__, ServiceMissingError):
        report.longrepr = (__file__, 1, str(call.excinfo.value))
    return report
