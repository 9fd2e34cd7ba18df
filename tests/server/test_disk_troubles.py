"""A disk that fails, or files that run out, end no node: it looks again, and goes on when they are back."""

from __future__ import annotations

import asyncio

import pytest

from longshore_server.agent import converging
from longshore_server.disk import LiveLinks

from .calls import deploy_to_end
from .contents import canonical_tar, small_tree
from .running import StartNode, embedded


@embedded
async def test_a_node_outlives_what_it_cannot_look_at(
    start_node: StartNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converging, "_COMPARE_EVERY_S", 0)
    failed = asyncio.Event()
    look = LiveLinks.generations

    def generations(links: LiveLinks) -> dict[str, int]:
        try:
            return look(links)
        except OSError:
            loop.call_soon_threadsafe(failed.set)
            raise

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(LiveLinks, "generations", generations)
    async with start_node(poll_s=0.1) as node:
        await deploy_to_end(node, canonical_tar(small_tree("one")))
        live = node.data_dir / "live"
        live.rename(live.with_name("away"))
        # Whatever is read there fails: a link that leads to itself.
        live.symlink_to(live.name)
        await asyncio.wait_for(failed.wait(), 20)
        live.unlink()
        live.with_name("away").rename(live)
        await deploy_to_end(node, canonical_tar(small_tree("two")))
