"""Users of the stores as ``deploy`` has them: nodes work by them, and cannot unmake the audit trail."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from longshore.v1 import deployment_service_pb2 as pb
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue
from longshore_storage.errors import Misconfigured
from tests.services.accounts import minio_account_with, postgres
from tests.services.minio_service import MinioService
from tests.services.missing import do_without
from tests.services.postgres_service import PostgresService

from .calls import deploy_to_end, status_name
from .contents import canonical_tar, small_tree
from .running import StartNode, embedded

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def nodes_url(postgres_service: PostgresService, postgres_database: str, tmp_path: Path) -> Iterator[str]:
    """The database for the user that the file makes, under another name, by ``psql``."""
    psql = postgres_service.psql
    if psql is None:
        do_without("psql is not here: it comes with PostgreSQL's client")
    role, password = f"nodes_{secrets.token_hex(8)}", "it's-a-$password"
    (tmp_path / "password").write_text(password)
    (tmp_path / "roles.sql").write_text(
        re.sub(r"\blongshore\b", role, (DEPLOY / "database-roles.sql").read_text())
    )
    owner = make_url(postgres_database).set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [psql, owner, "-v", "ON_ERROR_STOP=1", "-f", tmp_path / "roles.sql"],
        env={**os.environ, "NODES_PASSWORD_FILE": str(tmp_path / "password")},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    try:
        yield make_url(owner).set(username=role, password=password).render_as_string(hide_password=False)
    finally:
        with postgres(owner) as connection:
            for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


@pytest.fixture
def blobs_url(minio_service: MinioService, bucket: str) -> Iterator[str]:
    """A bucket for a user who may do what the file says."""
    policy = json.loads((DEPLOY / "blobs-policy.json").read_text())
    for statement in policy["Statement"]:
        statement["Resource"] = [
            each.replace(":::longshore", f":::{bucket}") for each in statement["Resource"]
        ]
    with minio_account_with(minio_service, bucket, secrets.token_hex(12), policy["Statement"]) as url:
        yield url


@embedded
async def test_a_node_works_and_the_trail_is_kept_from_it(
    start_node: StartNode,
    nodes_url: str,
    blobs_url: str,
    postgres_database: str,
    etcd_url: str,
    minio_service: MinioService,
    bucket: str,
) -> None:
    owner = open_catalogue(postgres_database)
    await owner.migrate()
    await owner.close()

    def stored() -> set[str | None]:
        found = minio_service.client().list_objects(bucket, recursive=True)
        return {each.object_name for each in found if not str(each.object_name).startswith("audit/")}

    stores = {"database": {"url": nodes_url}, "blobs": {"url": blobs_url}, "coordination": {"url": etcd_url}}
    collecting = {"every_s": 0.2, "keep_unnamed_s": 0, "grace_s": 0}
    async with start_node(**stores, collecting=collecting, audit={"seal_every_s": 0.1}) as node:
        for text in ("one", "two"):
            deployment = await deploy_to_end(node, canonical_tar(small_tree(text)))
            assert status_name(deployment.status) == "SUCCEEDED"
        before = await asyncio.to_thread(stored)
        deleted = pb.DeletePayloadRequest(project="netops", version="1.0.0", force=True)
        await node.deployments.DeletePayload(deleted)
        async with asyncio.timeout(60):
            while before <= await asyncio.to_thread(stored):
                await asyncio.sleep(0.05)
    async with open_blob_store(blobs_url, retry_for_s=0) as blobs:
        anchors = [found.key async for found in blobs.list("audit/")]
        assert anchors
        with pytest.raises(Misconfigured, match="AccessDenied"):
            await blobs.delete(anchors[0])
    with postgres(nodes_url) as connection:
        for statement in (
            "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
            "DROP TRIGGER audit_entry_kept ON audit_entry",
            "TRUNCATE audit_entry",
            "DROP TABLE audit_seal",
            "CREATE TABLE own (id int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        with pytest.raises(psycopg.Error, match="append-only"):
            connection.execute("DELETE FROM audit_entry")
