"""A node that only installs, with accounts that may do no more than that: it works, and they are refused."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from click.testing import CliRunner
from minio import Minio
from minio.error import S3Error
from psycopg.errors import InsufficientPrivilege

from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.commands.admin import admin
from longshore_server.node import running_node
from longshore_server.settings import Settings, load_settings
from longshore_storage.catalogue import open_catalogue
from tests.services.accounts import minio_account, postgres, postgres_account
from tests.services.etcd_cluster import encoded
from tests.services.etcd_tls_cluster import EtcdTlsCluster
from tests.services.local_http import RefusedError
from tests.services.minio_service import MinioService

from .calls import channel_to, deploy, ended, events_of, get, new_id, refused, status_name
from .contents import canonical_tar, small_tree
from .verified import all_ended, ask, status_of, until

S = grpc.StatusCode
READ_ONLY = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
NEW_NODE = (
    "INSERT INTO node (id, name, environment, roles, address, server_version, boot_number, boot_time, "
    "free_disk_bytes, report_time, installs, labels) "
    "VALUES (%s, %s, 'default', '[]', '', '', 1, now(), 0, now(), true, '{}')"
)
NEW_ASSIGNMENT = (
    "INSERT INTO assignment (node_id, environment, project, generation, assign_time) "
    "VALUES (%s, 'default', 'netops', 1, now())"
)
NEW_ACTIVATION = (
    "INSERT INTO activation (node_id, node_name, environment, project, generation, status, report_time) "
    "VALUES (%s, %s, 'default', 'netops', 1, 'PENDING', now())"
)
REFUSED_STATEMENTS = (
    "UPDATE deployment SET status = 'SUCCEEDED'",
    "UPDATE project_environment SET live_release_id = NULL",
    "UPDATE release SET content_sha256 = ''",
    "INSERT INTO project VALUES ('other')",
    "DELETE FROM audit_entry",
    "DELETE FROM node",
    "SELECT * FROM access_token",
)


# Of two nodes, each with a role of its own.
NODES = ("least", "joining")
WRITTEN_OF_OTHERS = (
    "UPDATE node SET cordon_reason = 'evil', labels = '{}' WHERE name = 'joining'",
    "UPDATE assignment SET generation = 1000000 WHERE node_id = 'other'",
    "UPDATE activation SET status = 'FAILED' WHERE node_id = 'other'",
    "DELETE FROM activation WHERE node_id = 'other'",
    "UPDATE hook_output SET outcome = '' WHERE node_id = 'other'",
    "UPDATE node_verification SET status = 'INTACT' WHERE node_id = 'other'",
)
WRITTEN_OF_ONE_S_OWN = (
    "UPDATE node SET free_disk_bytes = 1",
    "UPDATE assignment SET generation = 2",
    "UPDATE activation SET status = 'LIVE'",
    "DELETE FROM activation",
)


@dataclass(frozen=True)
class Accounts:
    """The settings of a node's stores, with all rights and with the least, by the node's name."""

    full: dict[str, Any]
    least: dict[str, dict[str, Any]]


@pytest.fixture
def accounts(
    postgres_database: str,
    minio_service: MinioService,
    bucket: str,
    s3_url: str,
    etcd_tls_cluster: EtcdTlsCluster,
) -> Iterator[Accounts]:
    etcd = etcd_tls_cluster
    etcd.start()
    with (
        ExitStack() as roles,
        minio_account(minio_service, bucket, secrets.token_hex(12), READ_ONLY) as blobs_url,
        etcd.fresh_prefix() as prefix,
    ):
        migrate(postgres_database)
        urls = {name: roles.enter_context(database_of(postgres_database, name)) for name in NODES}
        coordination = {
            "url": f"etcds://{','.join(etcd.endpoints)}/{prefix}",
            "user": etcd.user,
            "password": etcd.password,
            "ca_file": etcd.ca_file,
            "cert_file": etcd.cert_file,
            "key_file": etcd.key_file,
            "lease_s": 3,
        }
        yield Accounts(
            {
                "database": {"url": postgres_database},
                "blobs": {"url": s3_url},
                "coordination": coordination,
            },
            {
                name: {
                    "database": {"url": url, "pool_size": 1},
                    "blobs": {"url": blobs_url, "retry_for_s": 0},
                    "coordination": coordination,
                }
                for name, url in urls.items()
            },
        )


@contextmanager
def database_of(database_url: str, node: str) -> Iterator[str]:
    """The database for a role that only the node of that name uses."""
    with postgres_account(database_url, secrets.token_hex(12)) as (role, url):
        # Once more, as after an upgrade.
        for _ in range(2):
            printed = CliRunner().invoke(admin, ["grants", role, "--node", node])
            with postgres(database_url) as connection:
                connection.execute(printed.output.encode())
        yield url


def migrate(database_url: str) -> None:
    async def run() -> None:
        catalogue = open_catalogue(database_url)
        await catalogue.migrate()
        await catalogue.close()

    asyncio.run(run())


def settings_of(folder: Path, name: str, roles: list[str], stores: dict[str, Any], **node: Any) -> Settings:
    return load_settings(
        None,
        {
            "data_dir": folder / name,
            "listen": "127.0.0.1:0",
            "poll_s": 1,
            **stores,
            "node": {"name": name, "roles": roles, **node},
        },
    )


async def test_a_node_that_may_do_little(accounts: Accounts, tmp_path: Path) -> None:
    full = settings_of(tmp_path, "full", ["receive", "control"], accounts.full)
    hook = {"when": "after_switch", "command": ["echo", "switched"]}
    least, joining = (
        settings_of(tmp_path, name, ["install"], accounts.least[name], hooks=[hook]) for name in NODES
    )
    live, joined = (each.data_dir / "live" / "netops" for each in (least, joining))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_node(full))
        node = await stack.enter_async_context(running_node(least))
        caller, beside = [await stack.enter_async_context(channel_to(each.address)) for each in (first, node)]
        one = await ended(caller, (await deploy(caller, canonical_tar(small_tree("one")))).deployment_id)
        assert status_name(one.status) == "SUCCEEDED"
        async with running_node(joining):
            # It comes to what is live by itself.
            async with asyncio.timeout(30):
                while not joined.exists():
                    await asyncio.sleep(0.05)
            second = await deploy(caller, canonical_tar(small_tree("two")))
            assert status_name((await ended(caller, second.deployment_id)).status) == "SUCCEEDED"
            assert (joined / "README.md").read_text() == "two"
            compared = await until(caller, await ask(caller), all_ended)
            assert [status_of(each) for each in compared.nodes] == ["INTACT", "INTACT"]
        events = await events_of(caller, second.deployment_id)
        assert "switched" in str([event.hook_output for event in events])
        assert (live / "README.md").read_text() == "two"
        assert (await get(beside, second.deployment_id)).version == "1.0.1"

        with refused(S.FAILED_PRECONDITION, "MISCONFIGURED") as told:
            await beside.deployments.Rollback(
                pb.RollbackRequest(deployment_id=new_id(), project="netops", environment="default")
            )
        assert "may not do this" in told.message


def test_a_node_writes_what_is_its_own(postgres_database: str) -> None:
    """Or whoever broke into one could have all others install what he likes."""
    migrate(postgres_database)
    with (
        database_of(postgres_database, "least") as url,
        postgres(postgres_database) as full,
        postgres(url) as least,
    ):
        full.execute(
            "INSERT INTO environment VALUES ('default', now());"
            "INSERT INTO project VALUES ('netops', 'netops', now());"
            "INSERT INTO project_environment (project, environment, node_selector) "
            "VALUES ('netops', 'default', '{}')"
        )
        for ident, name in (("own", "least"), ("other", "joining")):
            rows = (ident, name)
            full.execute(NEW_NODE.encode(), rows)
            full.execute(NEW_ASSIGNMENT.encode(), (ident,))
            full.execute(NEW_ACTIVATION.encode(), rows)
        # What is another's is as though it were not there.
        for statement in WRITTEN_OF_OTHERS:
            assert least.execute(statement.encode()).rowcount == 0, statement
        for statement in WRITTEN_OF_ONE_S_OWN:
            assert least.execute(statement.encode()).rowcount == 1, statement
        another: list[tuple[str, tuple[str, ...]]] = [
            (NEW_NODE, ("third", "third")),
            (NEW_ASSIGNMENT, ("other",)),
            (NEW_ACTIVATION, ("other", "joining")),
            ("UPDATE node SET name = %s WHERE name = 'least'", ("joined",)),
            ("UPDATE assignment SET node_id = %s WHERE node_id = 'own'", ("other",)),
        ]
        for statement, values in another:
            with pytest.raises(InsufficientPrivilege, match="row-level security"):
                least.execute(statement.encode(), values)
        # Everything may be read, and who else has rights is as before.
        (seen,) = least.execute("SELECT count(*) FROM node").fetchone() or (0,)
        assert seen == 2
        assert full.execute("UPDATE node SET cordon_reason = ''").rowcount == 2


def test_the_accounts_are_refused_everything_else(
    accounts: Accounts, bucket: str, minio_service: MinioService, etcd_tls_cluster: EtcdTlsCluster
) -> None:
    for statement in REFUSED_STATEMENTS:
        with (
            postgres(accounts.least["least"]["database"]["url"]) as connection,
            pytest.raises(InsufficientPrivilege),
        ):
            connection.execute(statement.encode())

    minio_service.client().put_object(bucket, "there", io.BytesIO(b"1"), 1)
    keys = urlsplit(accounts.least["least"]["blobs"]["url"])
    store = Minio(
        minio_service.endpoint,
        access_key=keys.username,
        secret_key=keys.password,
        secure=False,
        region="us-east-1",
    )
    assert store.get_object(bucket, "there").read() == b"1"
    with pytest.raises(S3Error, match="AccessDenied"):
        store.put_object(bucket, "there", io.BytesIO(b"2"), 1)
    with pytest.raises(S3Error, match="AccessDenied"):
        store.remove_object(bucket, "there")

    etcd = etcd_tls_cluster
    token = etcd.token(etcd.user, etcd.password)
    with pytest.raises(RefusedError, match="permission denied"):
        etcd.members[0].call("kv/put", {"key": encoded("others"), "value": encoded("1")}, token)
