"""The services do what the other tests rely on: clean places, faults on demand, and no survivors."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import psycopg
import pytest

from tests.services.etcd_cluster import EtcdCluster, EtcdMember, encoded
from tests.services.etcd_tls_cluster import EtcdTlsCluster
from tests.services.local_http import RefusedError, ask
from tests.services.minio_service import MinioService
from tests.services.postgres_service import PostgresService
from tests.services.toxiproxy import ToxiproxyService


def wait_for(condition: Callable[[], bool], *, deadline_s: float = 60) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.01)


class TestMinio:
    def test_a_bucket_is_empty_at_first_and_gone_afterwards(self, minio_service: MinioService) -> None:
        with minio_service.fresh_bucket() as bucket:
            assert list(minio_service.client().list_objects(bucket)) == []
            minio_service.client().put_object(bucket, "packs/a", BytesIO(b"a"), 1)
        assert not minio_service.client().bucket_exists(bucket)

    def test_objects_outlive_a_kill(self, minio_service: MinioService, bucket: str) -> None:
        minio_service.client().put_object(bucket, "packs/a", BytesIO(b"abc"), 3)
        minio_service.kill()
        with pytest.raises(OSError, match=r"(?i)refused"):
            ask(f"http://{minio_service.endpoint}/minio/health/live")
        minio_service.start()
        assert minio_service.client().get_object(bucket, "packs/a").read() == b"abc"

    def test_a_bucket_is_removed_though_the_test_left_the_service_dead(
        self, minio_service: MinioService
    ) -> None:
        with minio_service.fresh_bucket() as bucket:
            minio_service.kill()
        assert not minio_service.client().bucket_exists(bucket)

    def test_the_url_carries_keys_that_are_needed(self, minio_service: MinioService, s3_url: str) -> None:
        assert s3_url.startswith(
            f"s3+http://{minio_service.access_key}:{minio_service.secret_key}@127.0.0.1:"
        )
        with pytest.raises(RefusedError, match="403"):
            ask(f"http://{minio_service.endpoint}/{s3_url.rpartition('/')[2]}")


def put(member: EtcdMember, key: str, value: str, token: str | None = None) -> None:
    member.call("kv/put", {"key": encoded(key), "value": encoded(value)}, token)


def count(member: EtcdMember, key: str, token: str | None = None) -> int:
    return int(member.call("kv/range", {"key": encoded(key)}, token).get("count", 0))


def cluster_id(member: EtcdMember) -> str:
    return str(member.call("maintenance/status", {})["header"]["cluster_id"])


class TestEtcd:
    def test_a_prefix_is_deleted_afterwards(self, etcd_cluster: EtcdCluster) -> None:
        first = etcd_cluster.members[0]
        with etcd_cluster.fresh_prefix() as prefix:
            put(first, f"{prefix}/locks/a", "1")
            put(first, f"/{prefix}/locks/a", "1")
            put(first, "elsewhere", "1")
        assert count(first, f"{prefix}/locks/a") == count(first, f"/{prefix}/locks/a") == 0
        assert count(first, "elsewhere") == 1

    def test_two_of_three_go_on_and_the_third_catches_up(
        self, etcd_cluster: EtcdCluster, etcd_prefix: str
    ) -> None:
        first, second, third = etcd_cluster.members
        third.kill()
        wait_for(lambda: ready(first))
        put(first, etcd_prefix, "1")
        assert count(second, etcd_prefix) == 1
        third.start()
        assert count(third, etcd_prefix) == 1

    def test_one_of_three_serves_nothing(self, etcd_cluster: EtcdCluster, etcd_prefix: str) -> None:
        first, second, third = etcd_cluster.members
        second.pause()
        third.pause()
        wait_for(lambda: not ready(first))
        second.resume()
        third.resume()
        wait_for(lambda: ready(first))
        put(first, etcd_prefix, "1")

    def test_lost_data_makes_another_cluster_at_the_same_endpoints(
        self, etcd_cluster: EtcdCluster, etcd_prefix: str
    ) -> None:
        first = etcd_cluster.members[0]
        put(first, etcd_prefix, "1")
        before = cluster_id(first), list(etcd_cluster.endpoints)
        etcd_cluster.lose_data()
        assert count(first, etcd_prefix) == 0
        assert etcd_cluster.endpoints == before[1]
        assert cluster_id(first) != before[0]

    def test_the_url_names_three_endpoints_and_the_prefix(self, etcd_url: str, etcd_prefix: str) -> None:
        hosts, _, prefix = etcd_url.removeprefix("etcd://").partition("/")
        assert (len(hosts.split(",")), prefix) == (3, etcd_prefix)


def ready(member: EtcdMember) -> bool:
    try:
        return member.ready()
    except OSError:
        return False


class TestEtcdBehindTls:
    def token(self, cluster: EtcdTlsCluster) -> str:
        return cluster.token(cluster.user, cluster.password)

    def test_the_user_has_his_prefix_and_nothing_else(self, etcd_tls_cluster: EtcdTlsCluster) -> None:
        member, token = etcd_tls_cluster.members[0], self.token(etcd_tls_cluster)
        put(member, f"{etcd_tls_cluster.prefix}/a", "1", token)
        assert count(member, f"{etcd_tls_cluster.prefix}/a", token) == 1
        prefix = etcd_tls_cluster.prefix
        for key in ("a", prefix, f"{prefix}0", f"/{prefix}/a"):
            with pytest.raises(RefusedError, match="403"):
                put(member, key, "1", token)

    def test_the_certificate_alone_grants_nothing(self, etcd_tls_cluster: EtcdTlsCluster) -> None:
        with pytest.raises(RefusedError, match=r"40\d"):
            put(etcd_tls_cluster.members[0], f"{etcd_tls_cluster.prefix}/a", "1")

    def test_nobody_enters_without_a_certificate(self, etcd_tls_cluster: EtcdTlsCluster) -> None:
        stranger = ssl_without_certificate(etcd_tls_cluster.ca_file)
        for host in ("127.0.0.1", "localhost"):
            port = etcd_tls_cluster.endpoints[0].rpartition(":")[2]
            with pytest.raises(OSError, match=r"(?i)certificate.required"):
                ask(f"https://{host}:{port}/health", tls=stranger)

    def test_users_outlive_a_kill(self, etcd_tls_cluster: EtcdTlsCluster) -> None:
        etcd_tls_cluster.kill()
        etcd_tls_cluster.start()
        assert self.token(etcd_tls_cluster)

    def test_a_fresh_prefix_lies_under_the_users_and_is_deleted_afterwards(
        self, etcd_tls_cluster: EtcdTlsCluster
    ) -> None:
        member = etcd_tls_cluster.members[0]
        with etcd_tls_cluster.fresh_prefix() as prefix:
            put(member, f"{prefix}/a", "1", self.token(etcd_tls_cluster))
        assert count(member, f"{prefix}/a", self.token(etcd_tls_cluster)) == 0

    def test_lost_data_brings_the_users_back(self, etcd_tls_cluster: EtcdTlsCluster) -> None:
        put(etcd_tls_cluster.members[0], "tenant/a", "1", self.token(etcd_tls_cluster))
        etcd_tls_cluster.lose_data()
        assert count(etcd_tls_cluster.members[0], "tenant/a", self.token(etcd_tls_cluster)) == 0


def ssl_without_certificate(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), connect_timeout=5)


class TestPostgres:
    def test_a_database_is_dropped_though_somebody_is_connected(
        self, postgres_service: PostgresService
    ) -> None:
        with postgres_service.fresh_database() as name:
            left_open = connect(postgres_service.url(name))
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
        left_open.close()
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            connect(postgres_service.url(name))

    def test_a_database_may_be_a_copy_of_another(self, postgres_service: PostgresService) -> None:
        with postgres_service.fresh_database() as template:
            with connect(postgres_service.url(template)) as connection:
                connection.execute("CREATE TABLE release AS SELECT 1 AS version")
            with (
                postgres_service.fresh_database(template) as copy,
                connect(postgres_service.url(copy)) as connection,
            ):
                assert connection.execute("SELECT version FROM release").fetchone() == (1,)

    def test_what_was_committed_outlives_a_kill(
        self, postgres_service: PostgresService, postgres_database: str
    ) -> None:
        with connect(postgres_database) as connection:
            connection.execute("CREATE TABLE release AS SELECT 1 AS version")
        with connect(postgres_database) as busy:
            busy.execute("SELECT 1")
            postgres_service.kill()
            postgres_service.start()
            with pytest.raises(psycopg.OperationalError):
                busy.execute("SELECT 1")
        with connect(postgres_database) as connection:
            assert connection.execute("SELECT version FROM release").fetchone() == (1,)

    def test_a_stop_disconnects_and_a_start_comes_back_on_the_same_port(
        self, postgres_service: PostgresService, postgres_database: str
    ) -> None:
        busy = connect(postgres_database)
        postgres_service.stop()
        with pytest.raises(psycopg.OperationalError):
            connect(postgres_database)
        busy.close()
        postgres_service.start()
        connect(postgres_database).close()

    def test_the_password_is_asked_for(self, postgres_service: PostgresService) -> None:
        scheme, _, rest = postgres_service.url("postgres").partition("://")
        with pytest.raises(psycopg.OperationalError, match="password"):
            connect(f"{scheme}://longshore:wrong@{rest.partition('@')[2]}")


class TestToxiproxy:
    def test_a_cut_connection_comes_back(
        self, toxiproxy_service: ToxiproxyService, etcd_cluster: EtcdCluster
    ) -> None:
        with toxiproxy_service.proxy(etcd_cluster.endpoints[0]) as proxy:
            url = f"http://{proxy.address}/health"
            assert ask(url)["health"] == "true"
            proxy.cut()
            with pytest.raises(OSError, match=r"(?i)refused"):
                ask(url)
            proxy.mend()
            proxy.silence()
            with pytest.raises(OSError, match=r"(?i)timed out"):
                ask(url, timeout_s=0.2)
            proxy.mend()
            assert ask(url)["health"] == "true"
