"""What a node's memory grows by while it takes large uploads: its peak less what it has when nothing happens.

Every upload is a ``longshore deploy`` of its own process, so that nothing but the node limits how many bytes
come at once. The node is a fresh one each time; nothing was uploaded to it before.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from benchmarks.content import make_random_file
from benchmarks.processes import forget_peak, peak_bytes, resident_bytes
from benchmarks.results import Measured
from benchmarks.sizes import MIB
from benchmarks.stage import Bench
from longshore_client import Way


async def measure(bench: Bench) -> Measured:
    sizes = bench.sizes
    figures: dict[str, list[float]] = {}
    for name, count, size_bytes in (
        ("one", 1, sizes.large_payload_bytes),
        ("many", sizes.uploads_at_once, sizes.payload_bytes),
    ):
        folder = bench.folder / name
        folder.mkdir()
        files = [make_random_file(folder / f"{number}.bin", size_bytes) for number in range(count)]
        for way in sizes.ways:
            values = [await _growth_mib(bench, files, way) for _ in range(sizes.pairs)]
            figures[f"memory.{name}_{way.value}"] = values
        for file in files:
            file.unlink()
    return Measured(
        figures,
        {
            "one_bytes": sizes.large_payload_bytes,
            "many_bytes": sizes.payload_bytes,
            "uploads_at_once": sizes.uploads_at_once,
        },
    )


async def _growth_mib(bench: Bench, files: list[Path], way: Way) -> float:
    with bench.place() as place:
        async with place.server() as server:
            idle_bytes = resident_bytes(server.pid)
            forget_peak(server.pid)
            async with asyncio.TaskGroup() as uploads:
                for number, path in enumerate(files):
                    uploads.create_task(_upload(server.address, path, f"project-{number}", way))
            growth_bytes = peak_bytes(server.pid) - idle_bytes
    bench.say(
        f"{way.value}, {len(files)} at once: idle {idle_bytes / MIB:.0f} MiB, "
        f"+{growth_bytes / MIB:.0f} MiB at the peak"
    )
    return growth_bytes / MIB


async def _upload(server: str, path: Path, project: str, way: Way) -> None:
    command = [str(Path(sys.executable).with_name("longshore")), "deploy", str(path), "--project", project]
    options = ["--format", "file", "--detach", *(["--send-all"] if way is Way.PLAIN else [])]
    process = await asyncio.create_subprocess_exec(
        *command,
        *options,
        env={**os.environ, "LONGSHORE_SERVER": server},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"an upload ended with status {process.returncode}: {errors.decode()[-500:]}")
