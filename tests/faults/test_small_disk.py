"""A node whose disk is too small, full, or read-only: what was live stays so, nothing half-made is left."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from tests.bundles.trees import File
from tests.server.contents import canonical_tar
from tests.services.processes import ServerExitedError, serve

from .calls import (
    Stub,
    Uploading,
    channel_to,
    connected,
    deployed,
    get,
    outcome,
    refused,
    upload,
    wait_for_health,
)
from .disks import MountsForbiddenError, SmallDisk, small_disk

MIB = 1 << 20
PROJECT = "web"
NO_ROOM = "this node's disk has no room left for the work"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        with small_disk(tmp_path, size_mib=48, inodes=400) as mounted:
            yield mounted
    except MountsForbiddenError as error:
        pytest.skip(f"a disk of its own needs the right to mount, in a user namespace at least: {error}")


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """What is not on that disk: the database and the blobs."""
    return {
        "LONGSHORE_DATABASE__URL": f"sqlite:///{tmp_path}/longshore.db",
        "LONGSHORE_BLOBS__URL": f"file://{tmp_path}/blobs",
        "LONGSHORE_NODE__KEPT_RELEASES": "5",
    }


def payload(number: int, size_mib: int = 0) -> Uploading:
    return Uploading(
        canonical_tar(
            {
                "number": File(b"%d" % number),
                "large": File(random.Random(number).randbytes(size_mib * MIB)),
            }
        )
    )


def many_files(count: int) -> Uploading:
    return Uploading(canonical_tar({f"{number:04}": File(b"x") for number in range(count)}))


def trees(disk: SmallDisk) -> list[str]:
    return sorted(path.name for path in (disk.seen / "node/installed").iterdir() if path.is_dir())


def assert_as_before(disk: SmallDisk, version: str, number: int) -> None:
    """What is live is what was, whole, and nothing half-made is left."""
    link = disk.seen / "node/live" / PROJECT
    assert link.readlink().name == f"{PROJECT}@{version}"
    assert (disk.seen / "node/installed" / link.readlink().name / "number").read_bytes() == b"%d" % number
    assert list((disk.seen / "node/staging").iterdir()) == []


async def failed(stub: Stub, uploading: Uploading) -> str:
    await upload(stub, uploading)
    ended = await outcome(stub, uploading.deployment_id)
    assert ended.status == d.DEPLOYMENT_STATUS_FAILED, ended
    return ended.error.message


async def rolled_back(stub: Stub, deployment_id: str) -> d.Deployment:
    await stub.Rollback(pb.RollbackRequest(deployment_id=deployment_id, project=PROJECT))
    return await outcome(stub, deployment_id)


async def test_a_release_does_not_fit(disk: SmallDisk, elsewhere: dict[str, str]) -> None:
    async with (
        serve(data_dir=disk.path / "node", env=elsewhere, program=disk.program) as node,
        connected(node) as stub,
    ):
        for number in range(2):
            await deployed(stub, payload(number, 12))
        # There is room for it only when the oldest one goes, which is told by the disk itself.
        await deployed(stub, payload(2, 12))
        assert trees(disk) == [f"{PROJECT}@1.0.1", f"{PROJECT}@1.0.2"]
        # Too large whatever goes: nothing does.
        assert "no room for web 1.0.3" in await failed(stub, payload(3, 32))
        assert trees(disk) == [f"{PROJECT}@1.0.1", f"{PROJECT}@1.0.2"]
        assert_as_before(disk, "1.0.2", 2)
        # What no look at free bytes tells beforehand: the disk takes no more files.
        assert NO_ROOM in await failed(stub, many_files(500))
        assert_as_before(disk, "1.0.2", 2)
        assert (await deployed(stub, payload(5, 1))).version == "1.0.5"


async def test_the_disk_is_full_when_the_link_is_to_be_swapped(
    disk: SmallDisk, elsewhere: dict[str, str]
) -> None:
    async with (
        serve(data_dir=disk.path / "node", env=elsewhere, program=disk.program) as node,
        connected(node) as stub,
    ):
        for number in range(2):
            await deployed(stub, payload(number))
        with disk.full():
            back = Uploading(b"").deployment_id
            ended = await rolled_back(stub, back)
            assert ended.status == d.DEPLOYMENT_STATUS_FAILED
            assert NO_ROOM in ended.error.message
            assert_as_before(disk, "1.0.1", 1)
        assert (await rolled_back(stub, Uploading(b"").deployment_id)).version == "1.0.0"
        assert_as_before(disk, "1.0.0", 0)


async def test_all_of_a_node_on_one_full_disk(disk: SmallDisk) -> None:
    """Nothing can be written any more, the database included; what is there can be read."""
    async with (
        serve(data_dir=disk.path / "node", program=disk.program) as node,
        connected(node) as stub,
        channel_to(node.address) as channel,
    ):
        first = await deployed(stub, payload(0))
        uploading = payload(1, 1)
        with disk.full():
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await upload(stub, uploading)
            told = refused(caught.value)
            assert (told.code, told.retry_after_s) == (grpc.StatusCode.UNAVAILABLE, 2)
            assert "database or disk is full" in told.message
            assert (await get(stub, first.deployment_id)).live
            assert_as_before(disk, "1.0.0", 0)
        await wait_for_health(channel, "longshore.upload", True)
        assert (await deployed(stub, uploading)).version == "1.0.1"
        assert_as_before(disk, "1.0.1", 1)


async def test_a_disk_that_turns_read_only(disk: SmallDisk, elsewhere: dict[str, str]) -> None:
    async with (
        serve(data_dir=disk.path / "node", env=elsewhere, program=disk.program) as node,
        connected(node) as stub,
    ):
        await deployed(stub, payload(0))
        with disk.read_only("node"):
            assert "the node's file system is read-only at" in await failed(stub, payload(1))
            assert_as_before(disk, "1.0.0", 0)
        assert (await deployed(stub, payload(2))).version == "1.0.2"
        assert_as_before(disk, "1.0.2", 2)
    with disk.read_only("node"), pytest.raises(ServerExitedError) as caught:
        async with serve(data_dir=disk.path / "node", env=elsewhere, program=disk.program):
            pass
    assert "its file system is read-only" in caught.value.stderr
