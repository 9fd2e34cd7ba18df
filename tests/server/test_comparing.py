"""Comparing a tree that changes at that very moment, or in which something stands that nobody can read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from longshore_server.disk import InstalledTree, Stopped, content_checksum
from longshore_server.verifying.comparing import Comparing, Incomparable
from longshore_storage.catalogue.rows import Release
from tests.bundles.trees import File, Tree

from .builds import PROJECT, Builds, builds
from .contents import small_tree
from .verified import change, open_up

TREE: Tree = {**small_tree(), "lib/one": File(b"one" * 100_000)}


@dataclass
class Compared:
    """A live tree without its record, and what is done while it is built again to name what differs."""

    builds: Builds
    release: Release
    tree: Path
    meanwhile: Callable[[], None] = lambda: None

    async def build(self, release: Release) -> InstalledTree:
        built = (await self.builds.build(release)).tree
        self.meanwhile()
        return built

    def comparing(self, threads: ThreadPoolExecutor) -> Comparing:
        return Comparing(self.builds.folder, threads, self.build)


@pytest.fixture
async def compared(tmp_path: Path) -> AsyncIterator[Compared]:
    async with builds(tmp_path) as made:
        release = await made.store_tree(TREE, "1.0.0")
        tree = (await made.build(release)).tree
        made.go_live(tree)
        open_up(tree.path)
        tree.record_path.unlink()
        yield Compared(made, release, tree.path)


async def test_what_is_put_right_meanwhile_is_intact(compared: Compared) -> None:
    readme = compared.tree / "README.md"
    change(readme, b"two")
    compared.meanwhile = lambda: change(readme, b"one")
    with ThreadPoolExecutor(1) as threads:
        found = await compared.comparing(threads).compare(PROJECT, compared.release)
    assert (found.is_intact, found.compared.compared_entries) == (True, 3)


class Flapping(ThreadPoolExecutor):
    """Changes a file before each reading: what one finds is not there any more when the next looks."""

    def __init__(self, path: Path) -> None:
        super().__init__(1)
        self._path = path
        self._contents = cycle((b"two", b"one"))

    def submit(self, *args: Any, **options: Any) -> Future[Any]:
        change(self._path, next(self._contents))
        return super().submit(*args, **options)


async def test_what_never_stands_still_is_told(compared: Compared) -> None:
    with (
        Flapping(compared.tree / "README.md") as threads,
        pytest.raises(Incomparable, match="changes while it is compared: something writes there"),
    ):
        await compared.comparing(threads).compare(PROJECT, compared.release)
    assert [path.name for path in compared.builds.folder.installed.glob("*+*")] == []


async def test_a_pipe_in_a_files_place_is_not_waited_for(compared: Compared) -> None:
    (compared.tree / "README.md").unlink()
    os.mkfifo(compared.tree / "README.md")
    with ThreadPoolExecutor(1) as threads:
        async with asyncio.timeout(20):
            found = await compared.comparing(threads).compare(PROJECT, compared.release)
    assert [(one.path, one.kind) for one in found.compared.differences] == [("README.md", "CHANGED")]


async def test_a_tree_that_is_gone(compared: Compared) -> None:
    compared.tree.rename(compared.tree.with_name("elsewhere"))
    with ThreadPoolExecutor(1) as threads:
        found = await compared.comparing(threads).compare(PROJECT, compared.release)
    assert found.message == f"its tree {str(compared.tree)!r} is gone"
    assert not found.is_intact


async def test_reading_stops_when_nobody_waits_any_more(compared: Compared) -> None:
    with pytest.raises(Stopped):
        content_checksum(compared.tree, single_file=False, is_stopped=lambda: True)
