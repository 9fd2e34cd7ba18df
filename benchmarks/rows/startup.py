"""How long the command line takes to start: ``longshore --help``, and ``longshore list`` of 20 deployments.

Wall time of whole processes, with bytecode compiled as after an installation.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.content import make_random_file
from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_client import Client, PayloadFormat

_PROGRAM = str(Path(sys.executable).with_name("longshore"))
_MOST_LISTED = 20
_MOST_STARTS = 9


async def measure(bench: Bench) -> Measured:
    # Few of both at small sizes: a value is the median of some starts.
    count = min(_MOST_STARTS, 3 * bench.sizes.pairs)
    listed = min(_MOST_LISTED, 4 * bench.sizes.pairs)
    with bench.place() as place:
        async with place.server() as server:
            async with Client(server.address) as client:
                payload = make_random_file(place.folder / "payload.bin", 10_000)
                for _ in range(listed):
                    await client.deploy(payload, project="bench", payload_format=PayloadFormat.FILE)
            env = {
                **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
                "PYTHONPYCACHEPREFIX": str(place.folder / "bytecode"),
                "LONGSHORE_SERVER": server.address,
            }
            figures: dict[str, list[float]] = {"startup.help": [], "startup.list": []}
            for arguments in (["--help"], ["list"]):
                await _start_ms(arguments, env)
            for _ in range(bench.sizes.pairs):
                for name, arguments in (("startup.help", ["--help"]), ("startup.list", ["list"])):
                    starts = [await _start_ms(arguments, env) for _ in range(count)]
                    figures[name].append(statistics.median(starts))
            bench.say(", ".join(f"{name} {values[-1]:.0f} ms" for name, values in figures.items()))
    return Measured(figures, {"starts": count, "listed": listed})


async def _start_ms(arguments: list[str], env: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        _PROGRAM, *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    taken_ms = (time.perf_counter() - begun) * 1000
    if process.returncode != 0:
        raise RuntimeError(f"longshore {arguments[0]} ended with {process.returncode}: {errors.decode()}")
    return taken_ms
