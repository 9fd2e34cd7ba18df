"""`longshore admin backup` and `restore`: under load, under nodes that run, and beside collecting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.commands import admin
from tests.services.postgres_service import PostgresService

from .calls import deploy_to_end
from .collected import collect, content, delete, download, stored_versions
from .contents import canonical_tar, installed, small_tree
from .running import RunningNode, StartNode, embedded, services

GRACE_S = 3600


async def run(command: str, *arguments: str | Path, answer: str = "", **variables: str) -> Result:
    """A command of ``longshore admin``, as another process would run it."""

    def invoke() -> Result:
        env = {f"LONGSHORE_{name}": value for name, value in variables.items()}
        return CliRunner().invoke(admin, [command, *map(str, arguments)], input=answer, env=env)

    return await asyncio.to_thread(invoke)


@embedded
async def test_what_a_backup_names_is_readable_whatever_was_collected_since(
    start_node: StartNode, stores: dict[str, Any], tmp_path: Path, terminal: None
) -> None:
    data_dir, file = tmp_path / "one", tmp_path / "monday.backup"
    async with start_node("one") as node:
        for number in (0, 1):
            await deploy_to_end(node, content(number))
        assert (await run("backup", file, "--data-dir", data_dir)).exit_code == 0
        await delete(node, "1.0.0", force=True)
        await deploy_to_end(node, content(2))
        kept = await collect(node, stores, grace_s=GRACE_S)
        assert await stored_versions(node) == ["1.0.1", "1.0.2"]
        running = await run("restore", file, "--replace", "--yes", "--data-dir", data_dir)
        assert (running.exit_code, "another" in running.stderr or "process" in running.stderr) == (1, True)

    full = await run("restore", file, "--data-dir", data_dir)
    assert (full.exit_code, "is not empty" in full.stderr) == (1, True)
    refused = await run("restore", file, "--replace", "--data-dir", data_dir, answer="n\n")
    assert (refused.exit_code, "nothing was changed" in refused.stderr) == (130, True)
    done = await run("restore", file, "--replace", "--data-dir", data_dir, answer="y\n")
    assert done.exit_code == 0, done.output
    assert "longshore admin rebuild" in done.stdout
    assert "warning" not in done.stderr

    async with start_node("one") as node:
        # What was condemned since the backup is not, and stays.
        assert await collect(node, stores, grace_s=GRACE_S) == kept
        assert await stored_versions(node) == ["1.0.0", "1.0.1"]
        for number in (0, 1):
            assert (await download(node, f"1.0.{number}"))[1] == content(number)
        # The node has obeyed more than the database knows.
        assert (await deploy_to_end(node, content(3))).status == d.DEPLOYMENT_STATUS_SUCCEEDED
        rebuilt = await run("rebuild", "--data-dir", data_dir)
        assert "1 restored" in rebuilt.stdout


@embedded
async def test_one_that_is_older_than_the_grace_is_told(start_node: StartNode, tmp_path: Path) -> None:
    file = tmp_path / "old.backup"
    async with start_node("one"):
        assert (await run("backup", file, "--data-dir", tmp_path / "one")).exit_code == 0
        again = await run("backup", file, "--data-dir", tmp_path / "one")
        assert (again.exit_code, "already" in again.stderr) == (1, True)
    done = await run("restore", file, "--data-dir", tmp_path / "two", COLLECTING__GRACE_S="0")
    assert done.exit_code == 0, done.output
    assert "may be gone" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["restore", "FILE", "--replace"], ["remove-node", "gone"], ["gc", "--now"]],
    ids=lambda words: words[0],
)
async def test_where_nobody_can_be_asked_it_has_to_be_said(tmp_path: Path, words: list[str]) -> None:
    command, *rest = (word.replace("FILE", str(tmp_path / "none.backup")) for word in words)
    result = await run(command, *rest, "--data-dir", tmp_path / "data", answer="y\n")
    assert (result.exit_code, "confirm with --yes" in result.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


async def test_what_is_no_backup_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a backup")
    refused = await run("restore", tmp_path / "notes.txt", "--data-dir", tmp_path / "data")
    assert (refused.exit_code, "is no backup" in refused.stderr) == (1, True)
    assert not (tmp_path / "data").exists()


class Load:
    """Projects that are deployed again and again; ``live`` is what each version's text is."""

    PROJECTS = ("api", "shop", "web")

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._stop = asyncio.Event()
        self.ended = asyncio.Condition()
        self.rounds = dict.fromkeys(self.PROJECTS, 0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for project in self.PROJECTS:
                group.create_task(self._deploy(project))
            yield
            self._stop.set()

    async def further(self, rounds: int) -> None:
        """Wait until each project was deployed so often again."""
        least = {project: count + rounds for project, count in self.rounds.items()}
        async with self.ended, asyncio.timeout(60):
            await self.ended.wait_for(lambda: all(self.rounds[name] >= least[name] for name in least))

    async def _deploy(self, project: str) -> None:
        while not self._stop.is_set():
            number = self.rounds[project]
            ended = await deploy_to_end(
                self._node, canonical_tar(small_tree(text_of(project, f"1.0.{number}"))), project=project
            )
            assert (ended.status, ended.version) == (d.DEPLOYMENT_STATUS_SUCCEEDED, f"1.0.{number}")
            async with self.ended:
                self.rounds[project] += 1
                self.ended.notify_all()


def text_of(project: str, version: str) -> str:
    return f"{project} {version}"


@services
async def test_under_load_and_into_a_fresh_database(
    start_node: StartNode, stores: dict[str, Any], postgres_service: PostgresService, tmp_path: Path
) -> None:
    file = tmp_path / "night.backup"
    elsewhere = {
        "DATABASE__URL": stores["database"]["url"],
        "BLOBS__URL": stores["blobs"]["url"],
        "COORDINATION__URL": stores["coordination"]["url"],
    }
    with postgres_service.fresh_database() as name:
        fresh = {**elsewhere, "DATABASE__URL": postgres_service.url(name)}
        async with start_node("one") as node:
            load = Load(node)
            async with load.running():
                await load.further(1)
                taken = await run("backup", file, **elsewhere)
                await load.further(1)
            assert taken.exit_code == 0, taken.output
            running = await run("restore", file, **fresh)
            assert (running.exit_code, "one run: stop all nodes first" in running.stderr) == (1, True)
        done = await run("restore", file, **fresh)
        assert done.exit_code == 0, done.output

        async with start_node("one", database={"url": fresh["DATABASE__URL"]}) as node:
            for project in Load.PROJECTS:
                releases = await node.catalog.ListReleases(catalog.ListReleasesRequest(project=project))
                known = [release.version for release in releases.releases]
                assert 1 <= len(known) < load.rounds[project], "the backup is of a moment under load"
                live = await settled(node, project)
                assert live in known
                async with asyncio.timeout(30):
                    while not has(node, project, live):
                        await asyncio.sleep(0.05)


async def settled(node: RunningNode, project: str) -> str:
    """The version that is live once what the backup had under way has ended, or was an upload."""
    under_way = {d.DEPLOYMENT_STATUS_QUEUED, d.DEPLOYMENT_STATUS_ROLLING_OUT, d.DEPLOYMENT_STATUS_REVERTING}
    async with asyncio.timeout(60):
        while True:
            request = pb.ListDeploymentsRequest(project=project, page_size=100)
            listed = (await node.deployments.ListDeployments(request)).deployments
            if not any(one.status in under_way for one in listed):
                break
            await asyncio.sleep(0.1)
    done = [one for one in listed if one.status == d.DEPLOYMENT_STATUS_SUCCEEDED]
    return max(done, key=lambda one: one.generation).version


def has(node: RunningNode, project: str, version: str) -> bool:
    root = node.live(project)
    return root.is_dir() and installed(root) == small_tree(text_of(project, version))
