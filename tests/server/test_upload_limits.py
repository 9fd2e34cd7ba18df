"""What uploads may take, one by one and together: chunks, memory, disk for examining; and that it is told."""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore_bundles import PayloadFormat
from longshore_server.settings import load_settings
from longshore_storage.errors import Misconfigured
from longshore_storage.payloads import PayloadSettings
from tests.bundles.trees import File, Tree, compressed, make_tar, make_zip

from .calls import (
    MIB,
    UploadCall,
    cut,
    deploy,
    deploy_chunks,
    deploy_to_end,
    get,
    header,
    new_id,
    refused,
)
from .contents import canonical_tar, installed, large_tree, random_bytes, small_tree
from .running import RunningNode, StartNode, counts, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())
LARGE = canonical_tar(large_tree())
TREE: Tree = {**small_tree(), "large.bin": File(random_bytes(2 * MIB))}
OUT_OF_ORDER = sorted(TREE, reverse=True)
LEAST_MEMORY = PayloadSettings.least_memory_bytes()


class TestChunks:
    @pytest.mark.parametrize("upload", [deploy, deploy_chunks])
    async def test_more_than_a_payload_may_have(
        self, start_node: StartNode, upload: Callable[..., Any]
    ) -> None:
        async with start_node(uploads={"max_chunks": 20}) as node:
            assert len(cut(LARGE)) > 20
            deployment_id = new_id()
            for _ in range(2):
                with refused(S.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED") as told:
                    await upload(node, LARGE, deployment_id)
                assert "20 chunks" in told.message
                assert "uploads.max_chunks" in told.message
            assert (await get(node, deployment_id)).status == d.DEPLOYMENT_STATUS_FAILED
            assert (await upload(node, TAR)).status == d.DEPLOYMENT_STATUS_QUEUED


class TestMemory:
    def test_too_little_for_one_upload(self, monkeypatch: pytest.MonkeyPatch) -> None:
        load_settings(None, {"uploads": {"memory_bytes": LEAST_MEMORY}})
        monkeypatch.setenv("LONGSHORE_UPLOADS__MEMORY_BYTES", str(LEAST_MEMORY - 1))
        with pytest.raises(Misconfigured, match="MEMORY_BYTES") as caught:
            load_settings(None, {})
        assert str(LEAST_MEMORY) in str(caught.value)

    async def test_the_least_suffices(self, start_node: StartNode) -> None:
        async with start_node(uploads={"memory_bytes": LEAST_MEMORY}) as node:
            info = await node.cluster.GetServerInfo(cluster.GetServerInfoRequest())
            assert info.limits.max_uploads_at_once == 1
            assert info.limits.upload_memory_size_bytes == LEAST_MEMORY
            other = canonical_tar(large_tree(2))
            made = await asyncio.gather(
                deploy_to_end(node, LARGE, project="one"), deploy_to_end(node, other, project="two")
            )
            assert [one.version for one in made] == ["1.0.0", "1.0.0"]

    @embedded
    async def test_what_the_server_tells(self, start_node: StartNode) -> None:
        limits = {
            "max_chunks": 1000,
            "at_once": 3,
            "waiting": 5,
            "memory_bytes": 300 * MIB,
            "staging_bytes": 7 * MIB,
            "min_rate_bytes_s": 100,
        }
        async with start_node(uploads=limits) as node:
            told = (await node.cluster.GetServerInfo(cluster.GetServerInfoRequest())).limits
        assert told.max_chunks == 1000
        assert (told.max_uploads_at_once, told.max_uploads_waiting) == (3, 5)
        assert 200 * MIB < told.upload_memory_size_bytes <= 300 * MIB
        assert told.staging_size_bytes == 7 * MIB
        assert told.min_upload_bytes_per_second == 100


def with_hard_links(copies: int) -> bytes:
    """2 MiB, and so many names for them."""
    out = io.BytesIO(make_tar({"large.bin": TREE["large.bin"]}))
    with tarfile.open(fileobj=out, mode="a") as tar:
        for number in range(copies):
            info = tarfile.TarInfo(f"copy{number}")
            info.type, info.linkname = tarfile.LNKTYPE, "large.bin"
            tar.addfile(info)
    return out.getvalue()


class TestStaging:
    @pytest.mark.parametrize(
        "payload",
        [
            make_zip(TREE),
            make_tar(TREE, order=OUT_OF_ORDER),
            compressed(make_tar(TREE, order=OUT_OF_ORDER), PayloadFormat.TAR_ZST),
        ],
        ids=["zip", "tar", "tar.zst"],
    )
    @embedded
    async def test_a_payload_that_needs_too_much(self, start_node: StartNode, payload: bytes) -> None:
        async with start_node(uploads={"staging_bytes": MIB}) as node:
            deployment_id = new_id()
            for _ in range(2):
                with refused(S.RESOURCE_EXHAUSTED, "STAGING_EXCEEDED") as told:
                    await deploy(node, payload, deployment_id)
                assert "uploads.staging_bytes" in told.message
            failed = await get(node, deployment_id)
            assert failed.status == d.DEPLOYMENT_STATUS_FAILED
            assert {**await counts(node.catalogue), "payload": 0} == dict.fromkeys(
                ("release", "payload", "upload", "upload_segment", "pin"), 0
            )
            assert node.staged == []

    @embedded
    async def test_a_zip_that_says_so_is_refused_before_its_bytes(self, start_node: StartNode) -> None:
        async with start_node(uploads={"staging_bytes": MIB}) as node:
            deployment_id = new_id()
            values: dict[str, Any] = {
                "payload_format": d.PAYLOAD_FORMAT_ZIP,
                "payload_size_bytes": MIB + 1,
            }
            with refused(S.RESOURCE_EXHAUSTED, "STAGING_EXCEEDED"):
                async with UploadCall(node, header(deployment_id, **values)):
                    pass
            with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
                await get(node, deployment_id)

    @embedded
    async def test_what_needs_none(self, start_node: StartNode) -> None:
        async with start_node(uploads={"staging_bytes": 0}) as node:
            in_order = compressed(canonical_tar(TREE), PayloadFormat.TAR_GZ)
            for payload in (canonical_tar(TREE), in_order):
                assert (await deploy(node, payload)).status == d.DEPLOYMENT_STATUS_QUEUED
            made = await deploy(node, b"a file", file_name="file", payload_format=d.PAYLOAD_FORMAT_FILE)
            assert made.status == d.DEPLOYMENT_STATUS_QUEUED

    @embedded
    async def test_hard_links_grow_while_they_are_copied(self, start_node: StartNode) -> None:
        payload = with_hard_links(3)
        async with start_node(uploads={"staging_bytes": 12 * MIB}) as node:
            await deploy_to_end(node, payload)
            assert set(installed(node.live("netops"))) == {"large.bin", "copy0", "copy1", "copy2"}
        async with start_node(uploads={"staging_bytes": 5 * MIB}) as node:
            with refused(S.RESOURCE_EXHAUSTED, "STAGING_EXCEEDED"):
                await deploy(node, payload)
            assert node.staged == []

    async def test_those_that_do_not_fit_beside_each_other_take_turns(self, start_node: StartNode) -> None:
        payloads = [make_zip({**TREE, "number": File(str(number).encode())}) for number in range(3)] + [
            make_tar({**TREE, "a": File(str(number).encode())}, order=[*OUT_OF_ORDER, "a"])
            for number in range(3)
        ]
        async with start_node(uploads={"staging_bytes": max(map(len, payloads)) + 2 * MIB}) as node:
            made = await asyncio.gather(*(deploy(node, payload) for payload in payloads))
            assert len({one.version for one in made}) == len(payloads)
            assert [path for path in node.staged if path.name.startswith("scan-")] == []

    async def test_a_disk_without_room(self, node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
        payload = make_zip(TREE)
        deployment_id = new_id()
        usage = shutil.disk_usage

        def nearly_full(path: Path) -> Any:
            return SimpleNamespace(free=len(payload) + MIB)

        monkeypatch.setattr(shutil, "disk_usage", nearly_full)
        with refused(S.RESOURCE_EXHAUSTED, "STORAGE_FULL") as told:
            await deploy(node, payload, deployment_id)
        assert str(len(payload)) in told.message
        assert told.retry_after_s == 30
        seen = await get(node, deployment_id)
        assert (seen.status, seen.status_reason) == (d.DEPLOYMENT_STATUS_VALIDATING, "interrupted")
        assert node.staged == []
        monkeypatch.setattr(shutil, "disk_usage", usage)
        async with UploadCall(node, header(deployment_id)) as call:
            assert call.durable_offset == len(payload)
            assert (await call.answer()).status == d.DEPLOYMENT_STATUS_QUEUED
