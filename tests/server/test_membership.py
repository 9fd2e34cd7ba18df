"""Who is a node, and whether it is there: processes on the same PostgreSQL, MinIO and etcd."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.services.processes import ServerExitedError

from .calls import channel_to
from .node_watch import watching
from .running import Serve


async def test_a_killed_node_is_away_and_a_name_is_one_nodes(start: Serve) -> None:
    async with start("one") as one, channel_to(one.address) as stubs, watching(stubs) as watch:
        async with start("two", NODE__LABELS='{"zone": "eu"}') as two:
            seen = await watch.until("two", alive=True, address=two.address)
            assert dict(seen.labels) == {"zone": "eu"}
            with pytest.raises(ServerExitedError) as caught:
                async with start("other", NODE__NAME="two"):
                    pass
            two.kill()
        await watch.until("two", alive=False)
        assert set(watch.nodes) == {"one", "two"}
    refused = caught.value
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "another node is registered under the name 'two'" in refused.stderr
    assert "`node.name`" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_of_two_copies_of_a_data_folder_only_the_newest_start_runs(
    start: Serve, tmp_path: Path
) -> None:
    async with start("one") as one:
        shutil.copytree(one.data_dir, tmp_path / "copy")
        async with start("copy", NODE__NAME="one") as copy:
            # At once by a signal, or when it looks by itself.
            assert await one.wait(deadline_s=60) == 1
            assert f"error: node one was started a second time elsewhere, at {copy.address}" in one.stderr
            assert "node.outrun" in one.stderr + one.stdout
            assert "Traceback" not in one.stderr
            # Started again, it would outrun the copy in its turn, and so on for ever.
            with pytest.raises(ServerExitedError) as caught:
                async with start("one"):
                    pass
            async with channel_to(copy.address) as stubs, watching(stubs) as watch:
                assert (await watch.until("one", alive=True)).boot_number == 2
        assert caught.value.returncode == 1
        assert "this data folder is a copy, or an older state, of node 'one'" in caught.value.stderr
