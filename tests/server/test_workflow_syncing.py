"""Workflows read again: what cannot be read changes nothing and stops no other; deleted ones come back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from sqlalchemy import select, update

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_service_pb2 as pb
from longshore_bundles import BundleScan
from longshore_chunks import ManifestReader
from longshore_server.deploying import bundle_content
from longshore_storage.catalogue import tables
from tests.bundles.trees import File, Tree
from tests.storage.payloads.world import manifest_of

from .calls import deploy_to_end, ended, new_id, refused
from .manifests import pack, workflow
from .running import RunningNode, StartNode, embedded
from .test_workflows import BROKEN, refs, sync

FLOWS = {"roll": workflow(), "stop": workflow()}

pytestmark = embedded


async def delete(node: RunningNode, project: str = "netops") -> None:
    assert (await node.catalog.DeleteWorkflows(catalog.DeleteWorkflowsRequest(project=project))).deleted


async def rollback(node: RunningNode) -> None:
    back = await node.deployments.Rollback(pb.RollbackRequest(deployment_id=new_id(), project="netops"))
    await ended(node, back.deployment.deployment_id)


async def test_a_payload_that_cannot_be_read_stops_no_other(node: RunningNode) -> None:
    stored = node.data_dir / "blobs" / "packs"
    spoil: dict[str, Callable[[Path], object]] = {
        "apps": lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "base": Path.unlink,
    }
    for ref, damage in spoil.items():
        before = set(stored.rglob("*"))
        await deploy_to_end(node, pack(ref, workflows={"roll": workflow()}), project=ref)
        for path in set(stored.rglob("*")) - before:
            if path.is_file():
                damage(path)
    for ref in ("dns", "netops", "web"):
        await deploy_to_end(node, pack(ref, workflows={"roll": workflow()}), project=ref)
    async with node.catalogue.transaction() as transaction:
        r = tables.release
        # As after a rebuild that did not find it.
        await transaction.execute(update(r).where(r.c.project == "dns").values(stored_payload=None))
    await delete(node, "web")
    synced = await sync(node)
    assert [one.ref for one in synced.registered] == ["netops.roll", "web.roll"]
    assert (synced.loaded, synced.total_errors) == (2, 3)
    assert {one.message.partition(": ")[0]: one.code for one in synced.errors} == {
        "apps 1.0.0": "STORED_DATA_CORRUPT",
        "base 1.0.0": "STORED_DATA_CORRUPT",
        "dns 1.0.0": "PAYLOAD_RECLAIMED",
    }
    assert await refs(node) == ["apps.roll", "base.roll", "dns.roll", "netops.roll", "web.roll"]
    # What was registered of it is there, though its payload is not.
    told = await node.catalog.GetWorkflow(
        catalog.GetWorkflowRequest(project="dns", version="1.0.0", name="roll")
    )
    assert told.source.decode() == workflow()


async def test_what_this_nodes_limits_do_not_let_it_read_stays_registered(start_node: StartNode) -> None:
    async with start_node() as node:
        await deploy_to_end(node, pack(workflows=FLOWS))
    async with start_node(uploads={"max_archive_entries": 1}) as node:
        synced = await sync(node)
        assert [one.code for one in synced.errors] == ["ARCHIVE_INVALID"]
        assert (synced.loaded, synced.total_pruned) == (0, 0)
        assert await refs(node) == ["netops.roll", "netops.stop"]


async def test_errors_about_other_files_do_not_crowd_out_those_about_workflows(node: RunningNode) -> None:
    others: Tree = {f"actions/act{number:03d}.yaml": File(b"name: [") for number in range(600)}
    bundle = pack(workflows={"roll": BROKEN, "stop": workflow()}, more=others)
    await deploy_to_end(node, bundle, skip_validation=True)
    synced = await sync(node)
    (error,) = synced.errors
    assert (error.path, synced.total_errors) == ("workflows/roll.yaml", 1)
    # Of several projects' files of one name it must be clear which is meant.
    assert error.message.startswith("netops 1.0.0: Task 'drain' references non-existent task")


async def test_deleted_ones_do_not_come_back_by_a_rollback(node: RunningNode) -> None:
    await deploy_to_end(node, pack(version="1.0.0", workflows=FLOWS))
    await deploy_to_end(node, pack(version="2.0.0", workflows={"roll": workflow("Roll 2")}))
    await delete(node)
    await rollback(node)
    assert await refs(node) == []
    await sync(node)
    assert await refs(node) == ["netops.roll", "netops.stop"]
    # Of the one that is not live, too.
    assert await refs(node, project="netops", version="2.0.0") == ["netops.roll"]


async def test_deleted_ones_come_back_by_a_deployment_of_the_same(node: RunningNode) -> None:
    await deploy_to_end(node, pack(version="1.0.0", workflows=FLOWS))
    await deploy_to_end(node, pack(version="2.0.0"))
    await delete(node)
    await deploy_to_end(node, pack(version="1.0.0", workflows=FLOWS))
    assert await refs(node) == ["netops.roll", "netops.stop"]


async def test_what_is_recorded_is_read_once_and_never_in_the_event_loop(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    read = bundle_content.bundle_content_of

    def noting(scan: BundleScan) -> bundle_content.BundleContent:
        threads.append(threading.current_thread())
        return read(scan)

    monkeypatch.setattr(bundle_content, "bundle_content_of", noting)
    await deploy_to_end(node, pack(workflows=FLOWS))
    assert len(threads) == 1
    await sync(node)
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_a_store_that_is_away_ends_it(node: RunningNode) -> None:
    for ref in ("dns", "netops"):
        await deploy_to_end(node, pack(ref, workflows={"roll": workflow()}), project=ref)
    blobs = node.data_dir / "blobs"
    blobs.rename(node.data_dir / "away")
    blobs.write_bytes(b"")
    with refused(grpc.StatusCode.FAILED_PRECONDITION, "MISCONFIGURED"):
        await sync(node)
    blobs.unlink()
    (node.data_dir / "away").rename(blobs)
    assert (await sync(node)).loaded == 2


async def test_other_content_than_the_releases_is_told_and_changes_nothing(node: RunningNode) -> None:
    """The row's manifest names other chunks, as after a rebuild, which believes the store."""
    for ref in ("good", "evil"):
        await deploy_to_end(node, pack(ref, workflows={ref: workflow()}), project=ref)
    r, p = tables.release, tables.payload
    async with node.catalogue.reading() as transaction:
        rows = await transaction.all(
            select(r.c.project, r.c.content_sha256, p).join(p, p.c.sha256 == r.c.stored_payload)
        )
    payloads = {row.project: row for row in rows}
    good, blobs = payloads["good"], node.data_dir / "blobs"
    evil_places = ManifestReader().feed((blobs / payloads["evil"].manifest_key).read_bytes())
    key, body = manifest_of(good.sha256, evil_places)
    (blobs / key).write_bytes(body)
    async with node.catalogue.transaction() as transaction:
        named = update(p).where(p.c.sha256 == good.sha256).values(manifest_key=key)
        await transaction.execute(named)
    synced = await sync(node)
    assert [(one.code, one.message) for one in synced.errors] == [
        (
            "STORED_DATA_CORRUPT",
            f"good 1.0.0: object '{good.sha256}' is corrupt: what is stored of it has the SHA-256 "
            f"{payloads['evil'].sha256}",
        )
    ]
    async with node.catalogue.transaction() as transaction:
        await transaction.execute(named.values(manifest_key=good.manifest_key))
        await transaction.execute(update(r).where(r.c.project == "good").values(content_sha256="0" * 64))
    synced = await sync(node)
    assert [one.code for one in synced.errors] == ["STORED_DATA_CORRUPT"]
    assert good.content_sha256 in synced.errors[0].message
    assert await refs(node) == ["evil.evil", "good.good"]
