"""Bytes that do not compress: client → gRPC → node → MinIO, against ``Minio.fput_object`` of the same file.

Both sides take turns, the first of a pair changing with every pair; a side's time ends when its call returns:
durable and recorded here, durable there. Afterwards one more upload each way tells by stage where the
core-seconds go; it is not part of the comparison.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import stages
from benchmarks.content import make_random_file
from benchmarks.costs import Cost, cost_of, ratios, summary
from benchmarks.processes import cpu_s, main_thread_cpu_s
from benchmarks.results import Measured
from benchmarks.sizes import GIB, MIB
from benchmarks.stage import Bench, Place
from longshore_client import Client, PayloadFormat, Way
from tests.services.processes import ServerProcess

_ROOT = Path(__file__).parents[2]


async def measure(bench: Bench) -> Measured:
    size_bytes = bench.sizes.payload_bytes
    figures: dict[str, list[float]] = {}
    details: dict[str, Any] = {"size_bytes": size_bytes}
    for way in bench.sizes.ways:
        with bench.place() as place:
            ours, direct = await _pairs(bench, place, way)
        figures[f"upload.{way.value}"] = ratios(ours, direct)
        details[way.value] = {
            "longshore": summary(ours, size_bytes),
            "fput_object": summary(direct, size_bytes),
        }
        with bench.place() as place:
            stages_s_gib = await _stages(place, way, size_bytes)
        client_s_gib = details[way.value]["longshore"]["cores_s_gib"]["client"]
        # The program's start would count in a total of its own.
        rest = max(client_s_gib - sum(stages_s_gib["client"].values()), 0.0)
        stages_s_gib["client"]["rest"] = round(rest, 3)
        details[way.value]["stages_s_gib"] = stages_s_gib
    return Measured(figures, details)


async def _pairs(bench: Bench, place: Place, way: Way) -> tuple[list[Cost], list[Cost]]:
    size_bytes = bench.sizes.payload_bytes
    path = place.folder / "payload.bin"
    sdk = place.sdk()
    ours: list[Cost] = []
    direct: list[Cost] = []
    async with place.server() as server, Client(server.address) as client:

        async def upload() -> None:
            await client.deploy(path, project="bench", payload_format=PayloadFormat.FILE, way=way)

        async def put() -> None:
            await asyncio.to_thread(sdk.fput_object, place.bucket, "direct", str(path))

        make_random_file(path, min(size_bytes, 64 * MIB))
        await upload()
        for number in range(bench.sizes.pairs):
            make_random_file(path, size_bytes)
            others = {"server": server.pid, "minio": place.minio.child.pid}
            for side in ("ours", "direct") if number % 2 else ("direct", "ours"):
                if side == "ours":
                    ours.append(await cost_of(upload, others))
                else:
                    direct.append(await cost_of(put, {"minio": others["minio"]}))
            place.drop_objects()
            speeds = (size_bytes / MIB / each[-1].seconds for each in (direct, ours))
            bench.say(
                "{}: fput_object {:.0f} MiB/s, longshore {:.0f} MiB/s, {:.2f} ×".format(
                    way.value, *speeds, direct[-1].seconds / ours[-1].seconds
                )
            )
    return ours, direct


async def _stages(place: Place, way: Way, size_bytes: int) -> dict[str, dict[str, float]]:
    """Core-seconds per GiB by process and stage, of one upload by the command line."""
    path = make_random_file(place.folder / "payload.bin", size_bytes)
    program = [sys.executable, "-m", stages.__name__]
    reports = {name: place.folder / f"{name}.json" for name in ("client", "server")}
    env = {"PYTHONPATH": str(_ROOT), stages.VARIABLE: str(reports["server"])}
    async with place.server("staged", program=program, env=env) as server:
        before = _counters(server, place)
        await _upload_by_command(
            [*program, "deploy", str(path), "--project", "bench", "--format", "file", "--detach"]
            + (["--send-all"] if way is Way.PLAIN else []),
            {stages.VARIABLE: str(reports["client"]), "LONGSHORE_SERVER": server.address},
        )
        spent = {name: after - before[name] for name, after in _counters(server, place).items()}
    found = {name: stages.read(path) for name, path in reports.items()}
    found["server"]["event loop"] = spent["event loop"]
    found["server"]["rest"] = max(spent["server"] - sum(found["server"].values()), 0.0)
    found["minio"] = {"all": spent["minio"]}
    return {
        process: {stage: round(seconds * GIB / size_bytes, 3) for stage, seconds in of.items()}
        for process, of in found.items()
    }


def _counters(server: ServerProcess, place: Place) -> dict[str, float]:
    return {
        "server": cpu_s(server.pid),
        "event loop": main_thread_cpu_s(server.pid),
        "minio": cpu_s(place.minio.child.pid),
    }


async def _upload_by_command(command: list[str], env: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "PYTHONPATH": str(_ROOT), **env}, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"the upload with clocks ended with status {process.returncode}")
