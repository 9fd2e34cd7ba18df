"""A rollback to a kept tree of many files, as a client sees it that follows: from its call to live.

The embedded node has both releases unpacked; going back it compares every file with the tree's record.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.going_live import until_live
from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_client import Client
from tests.services.processes import serve

_FILES_A_FOLDER = 100
_ROLLBACKS_A_PAIR = 4
_VERSIONS = ("1.0.0", "2.0.0")


async def measure(bench: Bench) -> Measured:
    taken: list[float] = []
    with bench.place() as place:
        tree = _make_tree(place.folder / "tree", bench.sizes.kept_files)
        async with (
            serve(data_dir=place.folder / "node", env={"LONGSHORE_LOG__LEVEL": "warning"}) as node,
            Client(node.address) as client,
        ):
            for version in _VERSIONS:
                (tree / "version").write_text(version)
                deployment = await client.deploy(tree, project="bench", version=version)
                await until_live(client, deployment.deployment_id)
            for number in range(bench.sizes.pairs * _ROLLBACKS_A_PAIR):
                begun = time.perf_counter()
                back = await client.rollback("bench", version=_VERSIONS[number % 2])
                assert back is not None
                await until_live(client, back.deployment_id)
                taken.append(time.perf_counter() - begun)
    return Measured({"rollback.time": [1000 * each for each in taken]}, {"files": bench.sizes.kept_files + 1})


def _make_tree(root: Path, files: int) -> Path:
    for number in range(files):
        path = root / f"{number // _FILES_A_FOLDER:04}" / f"{number:06}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"number = %d\n" % number * 50)
    return root
