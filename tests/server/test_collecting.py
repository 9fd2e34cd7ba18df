"""Deleting payloads, retention, abandoned uploads, and when a node collects, on a running one."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1 import errors_pb2
from longshore_server.collecting import CollectingTimer, make_collector
from longshore_server.collecting.opening import policies
from longshore_server.collecting.staging import StagingSweep
from longshore_server.commands import admin
from longshore_server.disk import DataFolder
from longshore_server.settings import Settings, load_settings
from longshore_server.stores import open_stores
from longshore_storage.catalogue import Catalogue, chores, tables
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.catalogue.rows import Actor
from longshore_storage.coordination.local import LocalCoordination, LocalHub
from longshore_storage.errors import Misconfigured
from longshore_storage.ports import BlobStore
from tests.bundles.trees import File

from .calls import (
    UploadCall,
    data_messages,
    deploy,
    deploy_to_end,
    ended,
    get,
    header,
    interrupted,
    new_id,
    refused,
    sha256_of,
    until,
)
from .collected import AT_ONCE, collect
from .contents import canonical_tar, random_bytes, small_tree
from .running import RunningNode, StartNode, count, embedded

S = grpc.StatusCode
MIB = 1 << 20


@pytest.fixture(autouse=True)
def commands_leave_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command writes its log to its own streams, which end with it; the nodes of this process live on."""
    monkeypatch.setattr("longshore_server.commands.running.configure_logging", lambda level, form: None)


def content(number: int) -> bytes:
    """Payloads that share nothing."""
    return canonical_tar({**small_tree(str(number)), "large.bin": File(random_bytes(MIB, number))})


async def delete(node: RunningNode, version: str, **values: Any) -> pb.DeletePayloadResponse:
    return await node.deployments.DeletePayload(
        pb.DeletePayloadRequest(**{"project": "netops", "version": version, **values})
    )


async def download(node: RunningNode, version: str) -> tuple[pb.PayloadInfo, bytes]:
    request = pb.DownloadPayloadRequest(project="netops", version=version)
    messages = [message async for message in node.deployments.DownloadPayload(request)]
    return messages[0].info, b"".join(message.data for message in messages)


async def stored_versions(node: RunningNode) -> list[str]:
    response = await node.catalog.ListReleases(catalog.ListReleasesRequest(project="netops"))
    return sorted(release.version for release in response.releases if release.payload_present)


@asynccontextmanager
async def blobs_of(settings: Settings) -> AsyncIterator[BlobStore]:
    async with AsyncExitStack() as stack:
        yield (await open_stores(settings, stack)).blobs


class TestDeletePayload:
    async def test_it_goes_and_comes_back(self, node: RunningNode, stores: dict[str, Any]) -> None:
        first = await deploy_to_end(node, content(1))
        second = await deploy_to_end(node, content(2))
        deleted = await delete(node, "1.0.0", force=True)
        assert MIB < deleted.freed_size_bytes < 1.1 * MIB
        assert deleted.shared_size_bytes == 0
        assert await delete(node, "1.0.0") == pb.DeletePayloadResponse()
        assert await stored_versions(node) == ["1.0.1"]
        assert not (await get(node, first.deployment_id)).payload_present
        assert (await get(node, second.deployment_id)).payload_present
        await self.nothing_leads_there(node)
        await collect(node, stores)
        await self.nothing_leads_there(node)

        entries = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
        told = [entry for entry in entries.entries if entry.action == "payload.deleted"]
        assert [(entry.version, entry.principal) for entry in told] == [("1.0.0", "anonymous")]
        assert "forced" in told[0].message

        again = await ended(node, (await deploy(node, content(1), version="1.0.0")).deployment_id)
        assert (again.status, again.version) == (d.DEPLOYMENT_STATUS_SUCCEEDED, "1.0.0")
        assert (await get(node, first.deployment_id)).payload_present
        assert (await download(node, "1.0.0"))[1] == content(1)
        await collect(node, stores)
        assert (await download(node, "1.0.0"))[1] == content(1)

    async def nothing_leads_there(self, node: RunningNode) -> None:
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
            await node.deployments.DeployRelease(
                pb.DeployReleaseRequest(deployment_id=new_id(), project="netops", version="1.0.0")
            )
        targets: tuple[dict[str, Any], ...] = ({}, {"version": "1.0.0"})
        for target in targets:
            with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
                await node.deployments.Rollback(
                    pb.RollbackRequest(deployment_id=new_id(), project="netops", **target)
                )
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_RECLAIMED"):
            await download(node, "1.0.0")

    @embedded
    async def test_what_is_needed_is_refused(self, node: RunningNode) -> None:
        await deploy_to_end(node, content(1))
        await deploy_to_end(node, content(2))
        for force in (False, True):
            with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
                await delete(node, "1.0.1", force=force)
            assert "is live in default" in told.message
            assert "deploy something else" in told.message
        with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
            await delete(node, "1.0.0")
        assert "can be rolled back to in default; it is deleted with `force`" in told.message
        assert await stored_versions(node) == ["1.0.0", "1.0.1"]

    @embedded
    async def test_what_is_on_its_way_is_refused(self, start_node: StartNode) -> None:
        async with start_node(node={"roles": "receive,control"}) as node:
            queued = await deploy(node, content(1))
            assert queued.status == d.DEPLOYMENT_STATUS_QUEUED
            with refused(S.FAILED_PRECONDITION, "PAYLOAD_IN_USE") as told:
                await delete(node, "1.0.0", force=True)
            assert "is on its way to default" in told.message

    @embedded
    async def test_what_others_share_stays(self, node: RunningNode, stores: dict[str, Any]) -> None:
        data = content(1)
        for project in ("netops", "netops", "other"):
            await deploy_to_end(node, data, project=project, version="1.0.0")
        await deploy_to_end(node, content(2))
        deleted = await delete(node, "1.0.0", force=True)
        assert deleted.freed_size_bytes == 0
        assert deleted.shared_size_bytes > MIB
        await collect(node, stores)
        request = pb.DownloadPayloadRequest(project="other", version="1.0.0")
        messages = [message async for message in node.deployments.DownloadPayload(request)]
        assert b"".join(message.data for message in messages) == data

    @embedded
    async def test_content_may_come_back_as_other_bytes(
        self, node: RunningNode, stores: dict[str, Any]
    ) -> None:
        data = content(1)
        await deploy_to_end(node, data)
        await deploy_to_end(node, content(2))
        await delete(node, "1.0.0", force=True)
        await collect(node, stores)
        packed = gzip.compress(data, mtime=0)
        again = await deploy_to_end(node, packed, version="1.0.0")
        assert again.content_sha256 == sha256_of(data)
        info, got = await download(node, "1.0.0")
        assert got == packed
        assert (info.payload_sha256, info.size_bytes) == (sha256_of(packed), len(packed))
        assert info.payload_format == d.PAYLOAD_FORMAT_TAR_GZ

    @embedded
    async def test_an_upload_that_has_nothing_to_send_keeps_it(
        self, node: RunningNode, stores: dict[str, Any]
    ) -> None:
        """It was told that everything is stored, and so it must be when it is recorded."""
        data = content(1)
        await deploy_to_end(node, data)
        await deploy_to_end(node, content(2))
        first = header(payload_size_bytes=len(data), payload_sha256=sha256_of(data), version="2.0.0")
        async with UploadCall(node, first) as call:
            assert call.durable_offset == len(data)
            await delete(node, "1.0.0", force=True)
            await collect(node, stores)
            made = await call.answer()
        assert (await ended(node, made.deployment_id)).status == d.DEPLOYMENT_STATUS_SUCCEEDED
        assert (await download(node, "2.0.0"))[1] == data

    @embedded
    @pytest.mark.parametrize(
        ("values", "code", "reason"),
        [
            ({"project": ""}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
            ({"version": ""}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
            ({"version": "one"}, S.INVALID_ARGUMENT, "INVALID_REQUEST"),
            ({"version": "3.0.0"}, S.NOT_FOUND, "RELEASE_NOT_FOUND"),
            ({"project": "none"}, S.NOT_FOUND, "PROJECT_NOT_FOUND"),
        ],
    )
    async def test_what_is_not_there(
        self, node: RunningNode, values: dict[str, str], code: grpc.StatusCode, reason: str
    ) -> None:
        await deploy(node, content(1))
        with refused(code, reason):
            await delete(node, **{"version": "1.0.0", **values})


class TestByTimer:
    async def test_an_abandoned_upload_fails_and_its_bytes_go(
        self, start_node: StartNode, stores: dict[str, Any]
    ) -> None:
        collecting = {**AT_ONCE, "every_s": 0.2}
        async with start_node(collecting=collecting) as node:
            deployment_id, data = new_id(), random_bytes(20 * MIB)
            async with UploadCall(node, header(deployment_id)) as call:
                await call.send(data_messages(data))
                await until(node, deployment_id, lambda seen: seen.transfer.durable_bytes)
            await interrupted(node, deployment_id)
            u, f = tables.upload, tables.pack_file
            async with node.catalogue.transaction() as transaction:
                old = await transaction.now() - timedelta(days=2)
                await transaction.execute(update(u).values(heartbeat_time=old))
                # What was on its way when the upload broke off stays an hour longer.
                found = await transaction.all(select(f.c.key).where(f.c.state == "STORED"))
                stored = {row.key for row in found}
            assert stored
            failed = await ended(node, deployment_id)
            assert failed.status == d.DEPLOYMENT_STATUS_FAILED
            assert failed.error.reason == errors_pb2.ERROR_REASON_UPLOAD_ABANDONED
            assert "new id" in failed.error.message
            with refused(S.FAILED_PRECONDITION, "UPLOAD_ABANDONED"):
                async with UploadCall(node, header(deployment_id)):
                    pass
            settings = load_settings(None, {"data_dir": node.data_dir, **stores})
            async with blobs_of(settings) as blobs:
                await eventually(lambda: none_is_left(blobs, stored))
            assert await count(node.catalogue, tables.upload) == 0
            assert (await deploy_to_end(node, content(1))).version == "1.0.0"

    async def test_one_of_those_that_look_does_it(self, tmp_path: Path) -> None:
        settings = load_settings(None, {"data_dir": tmp_path, "collecting": AT_ONCE})
        hub = LocalHub()
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(DataFolder.open(tmp_path))
            stores = await open_stores(settings, stack)
            collector = make_collector(settings, stores.catalogue, stores.blobs, Actor("node:one"))
            timer = CollectingTimer(collector, LocalCoordination(hub), folder, every_s=0.02)
            async with LocalCoordination(hub).lock("collecting"):
                looking = asyncio.create_task(timer.run())
                await eventually(lambda: waits_for_the_lock(hub))
                assert not await has_ended(stores.catalogue)
            await eventually(lambda: has_ended(stores.catalogue))
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            assert not await collector.is_due(timedelta(hours=1))
            assert await collector.is_due(timedelta(0))
            # A last time that lies ahead, because the clock was set back since, does not put it off for long.
            async with stores.catalogue.transaction() as transaction:
                ahead = await transaction.now() + timedelta(hours=2)
                await transaction.execute(update(tables.chore).values(end_time=ahead))
            assert await collector.is_due(timedelta(hours=1))

    @embedded
    async def test_a_store_that_is_away_does_not_end_the_node(self, start_node: StartNode) -> None:
        async with start_node(collecting={**AT_ONCE, "every_s": 0.05}) as node:
            moved = node.data_dir / "moved"
            (node.data_dir / "blobs").rename(moved)
            await asyncio.sleep(0.3)
            moved.rename(node.data_dir / "blobs")
            assert (await deploy_to_end(node, content(1))).version == "1.0.0"


async def has_ended(catalogue: Catalogue) -> bool:
    async with catalogue.reading() as transaction:
        return (await chores.get_chore(transaction, "collecting")).end_time is not None


async def waits_for_the_lock(hub: LocalHub) -> bool:
    return len(hub.queues["collecting"]) > 1


async def none_is_left(blobs: BlobStore, keys: set[str]) -> bool:
    return not keys & {blob.key async for blob in blobs.list("packs/")}


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what others bring about."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


class TestRetention:
    @embedded
    async def test_what_the_policy_does_not_keep_goes(
        self, node: RunningNode, stores: dict[str, Any]
    ) -> None:
        for number in range(4):
            await deploy_to_end(node, content(number))
        settings = load_settings(
            None,
            {
                "data_dir": node.data_dir,
                **stores,
                "collecting": AT_ONCE,
                "retention": {"keep_releases": 1, "rollback_targets": 2},
            },
        )
        result = await asyncio.to_thread(run_gc, settings, "-o", "json")
        told = json.loads(result.stdout)
        assert (told["releases_reclaimed"], told["payloads_dropped"]) == (2, 2)
        assert await stored_versions(node) == ["1.0.2", "1.0.3"]
        assert (await download(node, "1.0.2"))[1] == content(2)

    def test_the_first_rule_that_fits_goes_over_the_defaults(self) -> None:
        settings = load_settings(
            None,
            {
                "retention": {
                    "keep_releases": 10,
                    "max_age_s": 60,
                    "rules": [
                        {"project": "net*", "environment": "staging", "keep_releases": 3, "max_bytes": 5},
                        {"project": "net*", "max_age_s": None},
                        {"environment": "staging", "keep_releases": 1},
                    ],
                }
            },
        )
        policy_of = policies(settings)
        minute = timedelta(seconds=60)
        assert policy_of("netops", "staging") == RetentionPolicy(3, minute, 5)
        assert policy_of("netops", "default") == RetentionPolicy(10, None, None)
        assert policy_of("other", "staging") == RetentionPolicy(1, minute, None)
        assert policy_of("other", "default") == RetentionPolicy(10, minute, None)
        assert policies(load_settings(None, {}))("any", "any").keeps_all

    @pytest.mark.parametrize(
        "retention", [{"keep_releases": 0}, {"rules": [{"projects": "a"}]}, {"max_age_s": -1}]
    )
    def test_a_wrong_one_is_refused(self, retention: dict[str, Any]) -> None:
        with pytest.raises(Misconfigured, match="retention"):
            load_settings(None, {"retention": retention})


def run_gc(settings: Settings, *options: str, answer: str = "") -> Result:
    """The command, with these settings in a file."""
    written = json.loads(settings.model_dump_json(exclude_unset=True))
    path = Path(settings.data_dir) / "settings.yaml"
    path.write_text(json.dumps(written))
    result = CliRunner().invoke(admin, ["gc", "--config", str(path), *options], input=answer)
    path.unlink()
    return result


class TestCommand:
    async def prepared(self, start_node: StartNode) -> Settings:
        """A store with one payload that stays and one that goes."""
        async with start_node() as node:
            await deploy_to_end(node, content(1))
            await deploy_to_end(node, content(2))
            await delete(node, "1.0.0", force=True)
            return load_settings(None, {"data_dir": node.data_dir, "collecting": {"keep_unnamed_s": 0}})

    @embedded
    async def test_dry_run_then_run_then_now(self, start_node: StartNode) -> None:
        settings = await self.prepared(start_node)
        dry = await asyncio.to_thread(run_gc, settings, "--dry-run")
        assert dry.exit_code == 0, dry.output
        assert "would be:" in dry.stdout
        assert "        1  payloads dropped" in dry.stdout
        wet = await asyncio.to_thread(run_gc, settings)
        assert wet.stdout == dry.stdout.removeprefix("would be:\n")
        assert "        0  condemned objects removed" in wet.stdout
        now = await asyncio.to_thread(run_gc, settings, "--now", "--yes", "-o", "json")
        assert json.loads(now.stdout)["objects_removed"] == 2
        async with start_node() as node:
            assert (await download(node, "1.0.1"))[1] == content(2)

    @embedded
    async def test_what_is_dangerous_is_asked_for(self, start_node: StartNode) -> None:
        settings = await self.prepared(start_node)
        await asyncio.to_thread(run_gc, settings)
        for options, answer in ((["--now"], "n\n"), (["--take-over"], "")):
            result = await asyncio.to_thread(run_gc, settings, *options, answer=answer)
            assert result.exit_code == 1
            assert "[y/N]" in result.output
        result = await asyncio.to_thread(run_gc, settings, "--now", answer="y\n")
        assert "        2  condemned objects removed" in result.output

    @embedded
    async def test_another_catalogue_is_warned_of_and_taken_over_from(self, start_node: StartNode) -> None:
        settings = await self.prepared(start_node)
        marks = settings.data_dir / "blobs/catalogues"
        marks.mkdir()
        (marks / "another").write_text("{}")
        result = await asyncio.to_thread(run_gc, settings)
        assert result.exit_code == 0
        assert "another" in result.stderr
        result = await asyncio.to_thread(run_gc, settings, "--take-over", "--yes")
        assert not result.stderr
        assert [path.name for path in marks.iterdir()] != ["another"]

    @embedded
    async def test_beside_a_running_node(self, start_node: StartNode, tmp_path: Path) -> None:
        async with start_node() as node:
            await deploy_to_end(node, content(1))
            settings = load_settings(None, {"data_dir": node.data_dir})
            result = await asyncio.to_thread(run_gc, settings)
            assert result.exit_code == 0, result.output
            assert (await download(node, "1.0.0"))[1] == content(1)

    def test_wrong_usage(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(admin, ["gc", "--dry-run", "--take-over"])
        assert result.exit_code == 2
        result = CliRunner().invoke(admin, ["gc", "--config", str(tmp_path / "none.yaml")])
        assert (result.exit_code, "there is no such file" in result.stderr) == (1, True)


class TestStaging:
    def test_only_what_has_long_not_changed_goes(self, tmp_path: Path) -> None:
        with DataFolder.open(tmp_path) as folder:
            forgotten, used = folder.new_staging("forgotten"), folder.new_staging("used")
            (forgotten / "tree").mkdir()
            (forgotten / "tree/file").write_text("x")
            (forgotten / "tree/file").chmod(0o444)
            (forgotten / "tree").chmod(0o555)
            (folder.staging / "file").write_text("x")
            (used / "deep/er").mkdir(parents=True)
            sweep = StagingSweep(folder, untouched_for_s=0.2)
            assert sweep.sweep() == 0
            wait_for_the_disks_clock(tmp_path)
            (used / "deep/er/file").write_text("x")
            # What an archive says its time was is no matter.
            os.utime(used / "deep/er/file", (0, 0))
            assert sweep.sweep() == 2
            assert list(folder.staging.iterdir()) == [used]

    def test_what_cannot_be_removed_does_not_stop_the_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with DataFolder.open(tmp_path) as folder:
            first, second = sorted(folder.new_staging(name) for name in ("a", "b"))
            discard: Callable[[Path], None] = folder.discard_staging

            def refuse_first(path: Path) -> None:
                if path == first:
                    raise PermissionError(13, "no")
                discard(path)

            monkeypatch.setattr(folder, "discard_staging", refuse_first)
            assert StagingSweep(folder, untouched_for_s=0).sweep() == 1
            assert list(folder.staging.iterdir()) == [first]
            assert not second.exists()


def wait_for_the_disks_clock(folder: Path) -> None:
    """Whatever is written later has another time than all that was written before."""
    probe = folder / "probe"
    probe.write_text("0")
    first_s = probe.stat().st_ctime
    while probe.stat().st_ctime < first_s + 0.3:
        probe.write_text("1")
