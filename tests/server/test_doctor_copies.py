"""What ``longshore doctor`` tells of copies: what a store says itself, and no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select

from longshore_server.doctor import Finding, State
from longshore_server.doctor.copies import look_at_copies
from longshore_server.doctor.services import look_for_members
from longshore_server.settings import load_settings
from longshore_storage.catalogue import Catalogue, tables
from tests.services.minio_cluster import MinioCluster
from tests.services.minio_service import MinioService
from tests.storage.blobs.stub_store import Answer, stub_store

from .running import RunningNode, embedded

NOBODY = "s3+http://AK:SK@127.0.0.1:1/bucket"
EMPTY_LIST = Answer(
    200,
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
    b"<IsTruncated>false</IsTruncated></ListBucketResult>",
    {"Content-Type": "application/xml"},
)


async def looked(
    url: str, read_urls: Sequence[str] = (), *, catalogue: Catalogue | None = None, **options: Any
) -> list[Finding]:
    settings = load_settings(None, {"blobs": {"url": url, "read_urls": read_urls}, **options})
    return [finding async for finding in look_at_copies(settings, catalogue)]


async def test_four_servers_and_which_of_them_is_away(minio_cluster: MinioCluster) -> None:
    with minio_cluster.fresh_bucket() as bucket:
        [copies] = await looked(minio_cluster.url(bucket))
        assert copies.state is State.OK
        assert "reads with 2 drives of a set and writes with 3: half may be lost" in copies.what
        minio_cluster.members[1].kill()
        copies, server = await looked(minio_cluster.url(bucket))
        assert copies.state is State.OK
        assert (server.part, server.state) == ("blob server", State.WARN)
        assert minio_cluster.members[1].endpoint in server.what


async def test_a_single_drive_with_replicas_of_which_one_is_away(
    minio_service: MinioService, s3_url: str
) -> None:
    copies, replica = await looked(s3_url, [NOBODY, s3_url])
    assert copies.state is State.OK
    assert "a single drive; 2 beside it to read from" in copies.what
    assert (replica.part, replica.state) == ("replica", State.WARN)
    assert "127.0.0.1:1" in replica.what
    for finding in (copies, replica):
        assert minio_service.secret_key not in f"{finding.what} {finding.advice}"


async def test_another_store_does_not_tell() -> None:
    with stub_store(EMPTY_LIST) as stub:
        [copies] = await looked(f"s3+http://AK:SK@{stub.endpoint}/bucket")
    assert copies.state is State.OK
    assert "does not tell how many it keeps" in copies.what


async def test_of_a_store_that_is_away_nothing_is_told() -> None:
    assert await looked(NOBODY) == []


@embedded
async def test_a_folder_is_too_little_for_several_nodes(node: RunningNode) -> None:
    url = f"file://{node.data_dir}/blobs"
    [copies] = await looked(url, catalogue=node.catalogue)
    assert copies.state is State.OK
    async with node.catalogue.transaction() as transaction:
        [row] = await transaction.all(select(tables.node))
        other = {**row._mapping, "id": "another", "name": "another"}
        await transaction.execute(insert(tables.node).values(**other))
    [copies] = await looked(url, catalogue=node.catalogue)
    assert copies.state is State.WARN
    assert "several nodes keep payloads in" in copies.what


@pytest.mark.parametrize(
    ("url", "found"),
    [("local://", 0), ("etcd://a:2379/longshore", 1), ("etcds://a:2379,b:2379,c:2379/longshore", 0)],
)
def test_members_of_etcd(url: str, found: int) -> None:
    assert [finding.state for finding in look_for_members(url)] == [State.WARN] * found
