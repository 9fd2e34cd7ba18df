"""An upload that breaks off at 90 %, and what is sent again when it goes on.

A relay cuts the connection when nine tenths of the payload have passed; the client goes on by itself. Sent
again is what all of its connections carried above what one that was not cut carries for the same size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.content import make_random_file
from benchmarks.relay import relay_to
from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_client import Client, PayloadFormat, Way
from tests.services.processes import ServerProcess

_SHARE = 0.9


async def measure(bench: Bench) -> Measured:
    size_bytes = bench.sizes.payload_bytes
    figures: dict[str, list[float]] = {}
    details: dict[str, Any] = {"size_bytes": size_bytes}
    for way in bench.sizes.ways:
        again: list[int] = []
        with bench.place() as place:
            path = place.folder / "payload.bin"
            async with place.server() as server:
                whole = await _sent_bytes(server, make_random_file(path, size_bytes), way)
                for _ in range(bench.sizes.pairs):
                    make_random_file(path, size_bytes)
                    sent = await _sent_bytes(server, path, way, cut_at=int(size_bytes * _SHARE))
                    again.append(sent - whole)
                    place.drop_objects()
                    bench.say(f"{way.value}: {again[-1]:,} bytes sent again")
        figures[f"resume.{way.value}"] = [100 * each / size_bytes for each in again]
        details[way.value] = {"whole_bytes": whole, "again_bytes": again}
    return Measured(figures, details)


async def _sent_bytes(server: ServerProcess, path: Path, way: Way, cut_at: int | None = None) -> int:
    with relay_to(server.address) as relay:
        async with Client(relay.address) as client:
            if cut_at is not None:
                relay.cut_at(cut_at)
            await client.deploy(path, project="bench", payload_format=PayloadFormat.FILE, way=way)
        if cut_at is not None and relay.connections < 2:
            raise RuntimeError("the upload was not broken off")
        return relay.sent_bytes
