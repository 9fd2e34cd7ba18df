"""Whether what nodes have live is their releases: what is found, what is repaired, and when."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from blake3 import blake3
from sqlalchemy import update

from longshore.v1 import cluster_service_pb2 as cluster
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.disk.tree_removal import remove_tree
from longshore_storage.catalogue import tables
from tests.bundles.trees import File, Link, Tree

from .calls import deploy_to_end, ended, new_id, refused
from .contents import canonical_tar, installed, random_bytes, small_tree
from .running import RunningNode, count, embedded
from .verified import all_ended, ask, change, differences, open_up, status_of, told, until, verified

S = grpc.StatusCode
TREE: Tree = {
    **small_tree(),
    "lib/one.bin": File(random_bytes(100_000)),
    "lib/two.txt": File(b"two"),
    "current": Link("lib/two.txt"),
}


def changed(tree: Path) -> dict[str, str]:
    change(tree / "README.md", b"two")
    return {"README.md": "CHANGED"}


def missing(tree: Path) -> dict[str, str]:
    (tree / "README.md").unlink()
    return {"README.md": "MISSING"}


def extra(tree: Path) -> dict[str, str]:
    (tree / "new").mkdir()
    (tree / "new/\udcff.txt").write_bytes(b"")
    return {"new": "EXTRA", "new/\N{REPLACEMENT CHARACTER}.txt": "EXTRA"}


def mode(tree: Path) -> dict[str, str]:
    (tree / "README.md").chmod(0o666)
    (tree / "bin").chmod(0o755)
    return {"README.md": "CHANGED", "bin": "CHANGED"}


def executable(tree: Path) -> dict[str, str]:
    (tree / "bin/run").chmod(0o444)
    return {"bin/run": "CHANGED"}


def link(tree: Path) -> dict[str, str]:
    (tree / "current").unlink()
    (tree / "current").symlink_to("README.md")
    return {"current": "CHANGED"}


def kind(tree: Path) -> dict[str, str]:
    (tree / "README.md").unlink()
    (tree / "README.md").mkdir()
    return {"README.md": "CHANGED"}


def several(tree: Path) -> dict[str, str]:
    change(tree / "lib/one.bin", random_bytes(100_000, 2))
    return {**changed(tree), **link(tree), "lib/one.bin": "CHANGED"}


DAMAGES = [changed, missing, extra, mode, executable, link, kind, several]


@embedded
class TestOneNode:
    async def test_what_is_as_it_should_be(self, node: RunningNode) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        found = await verified(node)
        assert (status_of(found), found.node_name, found.version) == ("INTACT", "one", "1.0.0")
        assert (found.compared_entries, found.total_differences, found.message) == (5, 0, "")
        undeploy = pb.UndeployRequest(deployment_id=new_id(), project="netops")
        await ended(node, (await node.deployments.Undeploy(undeploy)).deployment.deployment_id)
        assert status_of(found := await verified(node)) == "INTACT"
        assert found.version == ""

    @pytest.mark.parametrize("damage", DAMAGES)
    async def test_what_differs_is_named_and_repaired(
        self, node: RunningNode, damage: Callable[[Path], dict[str, str]]
    ) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        open_up(node.live("netops"))
        expected = damage(node.live("netops"))
        found = await verified(node)
        assert (status_of(found), differences(found)) == ("DIFFERS", expected)
        assert found.total_differences == len(expected)
        repaired = await verified(node, repair=True)
        assert (status_of(repaired), differences(repaired)) == ("REPAIRED", expected)
        assert node.live("netops").name == "netops@1.0.0+1"
        assert installed(node.live("netops")) == TREE
        assert status_of(await verified(node, repair=True)) == "INTACT"
        audit = await node.deployments.ListAuditEntries(pb.ListAuditEntriesRequest(project="netops"))
        entries = [(entry.action, entry.principal) for entry in audit.entries]
        assert entries.count(("node.repaired", "node:one")) == 1
        assert entries.count(("project.verified", "anonymous")) == 3
        # What was bad goes with the next switch.
        await deploy_to_end(node, canonical_tar(small_tree("next")))
        kept = sorted(path.name for path in node.data_dir.glob("installed/*[!~]") if path.is_dir())
        assert kept == ["netops@1.0.0+1", "netops@1.0.1"]

    @pytest.mark.parametrize("record", ["gone", "forged", "cut"])
    async def test_the_nodes_own_memory_is_not_believed(self, node: RunningNode, record: str) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        tree = node.live("netops")
        open_up(tree)
        change(tree / "README.md", b"two")
        place = tree.with_name(f"{tree.name}~record.jsonl")
        if record == "gone":
            place.unlink()
        elif record == "cut":
            place.write_bytes(place.read_bytes()[:-10])
        else:
            _forge(place, tree)
        found = await verified(node)
        assert (status_of(found), differences(found)) == ("DIFFERS", {"README.md": "CHANGED"})
        assert [path.name for path in node.data_dir.glob("installed/netops@*+1*")] == []
        assert status_of(await verified(node, repair=True)) == "REPAIRED"
        assert installed(node.live("netops")) == TREE

    async def test_the_link_itself(self, node: RunningNode) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        await deploy_to_end(node, canonical_tar(small_tree("next")))
        place = node.data_dir / "live/netops"
        place.unlink()
        found = await verified(node)
        assert (status_of(found), found.message) == (
            "DIFFERS",
            "nothing is live here, and version 1.0.1 should be",
        )
        place.symlink_to("../installed/netops@1.0.0")
        repaired = await verified(node, repair=True)
        assert status_of(repaired) == "REPAIRED"
        assert node.live("netops").name == "netops@1.0.1"
        remove_tree(node.live("netops"))
        assert status_of(await verified(node)) == "DIFFERS"
        assert status_of(await verified(node, repair=True)) == "REPAIRED"
        assert installed(node.live("netops")) == small_tree("next")
        place.unlink()
        place.mkdir()
        failed = await verified(node, repair=True)
        assert status_of(failed) == "FAILED"
        assert "is not the link that Longshore made there" in failed.message

    async def test_a_file_as_payload(self, node: RunningNode) -> None:
        await deploy_to_end(node, b"a wheel", file_name="one.whl", payload_format=d.PAYLOAD_FORMAT_FILE)
        assert status_of(await verified(node)) == "INTACT"
        tree = node.live("netops")
        open_up(tree)
        (tree / "two.whl").write_bytes(b"")
        found = await verified(node)
        assert (status_of(found), differences(found)) == ("DIFFERS", {"two.whl": "EXTRA"})

    async def test_a_node_that_takes_no_deployments(self, node: RunningNode) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        open_up(node.live("netops"))
        changed(node.live("netops"))
        await node.cluster.DrainNode(cluster.DrainNodeRequest(node_name="one", reason="a new disk"))
        assert status_of(await verified(node)) == "DIFFERS"
        assert status_of(await verified(node, repair=True)) == "REPAIRED"
        assert installed(node.live("netops")) == TREE

    async def test_very_many_differences(self, node: RunningNode) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        tree = node.live("netops")
        open_up(tree)
        for number in range(1_000):
            (tree / f"x{number:04d}").touch()
        found = await verified(node)
        assert found.total_differences == 1_000
        assert [one.path for one in found.differences] == [f"x{number:04d}" for number in range(100)]

    async def test_asking_again_and_asking_wrongly(self, node: RunningNode) -> None:
        await deploy_to_end(node, canonical_tar(TREE))
        ident = await ask(node)
        first = await until(node, ident, all_ended)
        assert await ask(node, verification_id=ident) == ident
        assert await told(node, ident) == first
        assert (first.project, first.environment, first.repair) == ("netops", "default", False)
        assert first.asked_by == "anonymous"
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await ask(node, verification_id=ident, repair=True)
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await ask(node, verification_id="x")
        with refused(S.NOT_FOUND, "PROJECT_NOT_FOUND"):
            await ask(node, project="nothing")
        with refused(S.NOT_FOUND, "VERIFICATION_NOT_FOUND"):
            await told(node, new_id())


def _forge(record: Path, tree: Path) -> None:
    """Make a record say of a changed file that it is as it was installed."""
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for line in lines:
        if line.get("file") == "README.md":
            status = (tree / "README.md").stat()
            line |= {
                "size_bytes": status.st_size,
                "mtime_ns": status.st_mtime_ns,
                "ctime_ns": status.st_ctime_ns,
                "blake3": blake3((tree / "README.md").read_bytes()).hexdigest(),
            }
    encoded = [json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines[:-1]]
    end = {"entries": len(encoded) - 1, "blake3": blake3(b"".join(encoded)).hexdigest()}
    record.write_bytes(b"".join(encoded) + json.dumps(end, separators=(",", ":")).encode() + b"\n")


@embedded
async def test_rows_are_dropped_after_a_day(node: RunningNode) -> None:
    await deploy_to_end(node, canonical_tar(TREE))
    old = await ask(node)
    await until(node, old, all_ended)
    async with node.catalogue.transaction() as transaction:
        day_ago = await transaction.now() - timedelta(days=1)
        await transaction.execute(update(tables.verification).values(create_time=day_ago))
    with refused(S.NOT_FOUND, "VERIFICATION_NOT_FOUND"):
        await told(node, old)
    await verified(node)
    assert await count(node.catalogue, tables.verification) == 1
    assert await count(node.catalogue, tables.node_verification) == 1
