"""Damage as its users meet it: on a running node, and by the commands that look after the stores."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import grpc
import pytest
import yaml

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.deploying.examining import Examiner
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import Catalogue, damage, tables
from longshore_storage.ports import BlobStore

from .calls import (
    UploadCall,
    data_messages,
    deploy,
    deploy_chunks,
    deploy_to_end,
    header,
    new_id,
    refused,
    sha256_of,
)
from .contents import canonical_tar, large_tree, random_bytes, with_a_change
from .running import RunningNode, StartNode, count

S = grpc.StatusCode
Stores = dict[str, Any]


class Said(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Admin = Callable[..., Awaitable[Said]]


@asynccontextmanager
async def blobs_of(stores: Stores, data_dir: Path) -> AsyncIterator[BlobStore]:
    url = stores.get("blobs", {}).get("url", f"file://{data_dir}/blobs")
    async with open_blob_store(url) as blobs:
        yield blobs


async def hurt(stores: Stores, data_dir: Path, change: Callable[[bytes], bytes] | None = None) -> str:
    """Lose or change the largest pack file; its key."""
    async with blobs_of(stores, data_dir) as blobs:
        found = [blob async for blob in blobs.list("packs/")]
        key = max(found, key=lambda blob: blob.size_bytes).key
        body = await blobs.get(key)
        await blobs.delete(key)
        if change is not None:
            changed = change(body)
            await blobs.put(key, [changed], crc32c=google_crc32c.value(changed))
        return key


def flip_all(body: bytes) -> bytes:
    return body[:100] + bytes(len(body) - 1000) + body[-900:]


async def download(node: RunningNode, version: str = "1.0.0", project: str = "netops") -> bytes:
    request = pb.DownloadPayloadRequest(project=project, version=version)
    return b"".join([part.data async for part in node.deployments.DownloadPayload(request)])


async def damaged(catalogue: Catalogue) -> list[str]:
    async with catalogue.reading() as transaction:
        return [row.sha256 for row in await damage.damaged_payloads(transaction, after="", limit=100)]


async def audited(node: RunningNode, action: str) -> list[str]:
    entries = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
    return [entry.version for entry in entries.entries if entry.action == action]


async def test_a_node_repairs_what_it_has_installed(start_node: StartNode, stores: Stores) -> None:
    data = canonical_tar(large_tree())
    async with start_node(poll_s=0.05) as node:
        await deploy_to_end(node, data)
        await hurt(stores, node.data_dir)
        with refused(S.DATA_LOSS, "STORED_DATA_CORRUPT"):
            await download(node)
        async with asyncio.timeout(20):
            while not await audited(node, "payload.repaired"):
                await asyncio.sleep(0.05)
        assert await audited(node, "payload.damaged") == ["1.0.0"]
        assert await damaged(node.catalogue) == []
        assert await download(node) == data


@pytest.mark.parametrize("way", ["PLAIN", "CHUNKS"])
async def test_the_next_upload_repairs(start_node: StartNode, stores: Stores, way: str) -> None:
    """A file is not what an installed tree gives back; who has it sends it again."""
    data = random_bytes(3 << 20)
    fields: dict[str, Any] = {
        "payload_format": d.PAYLOAD_FORMAT_FILE,
        "file_name": "a.bin",
        "payload_sha256": sha256_of(data),
    }
    async with start_node() as node:
        await deploy_to_end(node, data, **fields)
        # It costs nothing as long as it is stored.
        again = await deploy(node, data, **fields)
        assert again.transfer.received_bytes == 0
        await hurt(stores, node.data_dir, flip_all)
        with refused(S.DATA_LOSS, "STORED_DATA_CORRUPT"):
            await download(node)
        assert await damaged(node.catalogue) == [sha256_of(data)]
        send = deploy if way == "PLAIN" else deploy_chunks
        healing = await send(node, data, **fields)
        assert healing.transfer.received_bytes > 0
        assert await damaged(node.catalogue) == []
        assert await download(node) == data


async def test_damage_between_storing_and_recording(
    start_node: StartNode, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look into the payload meets it; the same upload, resumed, sends what is missing."""
    data = canonical_tar(large_tree())
    examine = Examiner.examine

    async def hurt_before(examiner: Examiner, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        await hurt(stores, node.data_dir)
        return await examine(examiner, *args, **kwargs)

    deployment_id, session_id = new_id(), new_id()
    async with start_node() as node:
        monkeypatch.setattr(Examiner, "examine", hurt_before)
        with refused(S.FAILED_PRECONDITION, "CHUNK_MISSING") as told:
            await deploy(node, data, deployment_id, session_id=session_id, attempt=1)
        assert "resume" in told.message
        async with UploadCall(node, header(deployment_id, session_id=session_id, attempt=2)) as call:
            assert call.durable_offset < len(data)
            await call.send(data_messages(data, start=call.durable_offset))
            deployment = await call.answer()
        assert deployment.payload_sha256 == sha256_of(data)
        assert await download(node) == data
        assert await damaged(node.catalogue) == []


@pytest.fixture
def admin(stores: Stores, tmp_path: Path) -> Admin:
    """Run ``longshore admin …`` on the stores, in a process of its own."""
    config = tmp_path / "longshore.yaml"
    config.write_text(yaml.safe_dump(stores), encoding="utf-8")

    def run(*arguments: str) -> Said:
        command = [sys.executable, "-c", "from longshore_client.cli import main; main()", "admin", *arguments]
        command += ["--config", str(config), "--data-dir", str(tmp_path / "one")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return Said(done.returncode, done.stdout, done.stderr)

    return lambda *arguments: asyncio.to_thread(run, *arguments)


async def test_the_commands(start_node: StartNode, stores: Stores, admin: Admin, tmp_path: Path) -> None:
    old, new = large_tree(), with_a_change(large_tree())
    async with start_node() as node:
        await deploy_to_end(node, canonical_tar(old))
        await deploy_to_end(node, canonical_tar(new))
        said = await admin("scrub", "--repair")
        assert said.code == 1
        assert "in use by process" in said.err
        said = await admin("scrub", "--rate", "1000")
        assert said.code == 0, said
    data_dir = tmp_path / "one"

    # Scrub finds damage and names the releases; with the trees of a node that is not running, it repairs.
    await hurt(stores, data_dir)
    said = await admin("scrub")
    assert said.code == 1, said
    assert "release netops 1.0.0" in said.out
    said = await admin("scrub", "--resume", "--repair", "-o", "json")
    told = json.loads(said.out)
    assert (told["repaired"], told["damaged_now"], said.code) == (2, [], 0), said

    # The damaged pack file is named by nobody any more: garbage, not damage.
    said = await admin("compact", "--dry-run")
    assert said.code == 0, said
    assert "0  pack files would be emptied" in said.out
    said = await admin("compact")
    assert said.code == 0, said

    # From the store alone.
    async with start_node() as node:
        await forget_what_is_stored(node.catalogue)
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
            await download(node)
    said = await admin("rebuild", "-o", "json")
    assert (said.code, json.loads(said.out)["linked_releases"]) == (0, 2), said
    async with start_node() as node:
        assert await download(node, "1.0.0") == canonical_tar(old)
        assert await download(node, "1.0.1") == canonical_tar(new)
        assert await count(node.catalogue, tables.chunk) > 0


async def forget_what_is_stored(catalogue: Catalogue) -> None:
    async with catalogue.transaction() as transaction:
        await transaction.execute(tables.release.update().values(stored_payload=None))
        for table in (tables.upload, tables.payload, tables.pack_file, tables.condemned):
            await transaction.execute(table.delete())
