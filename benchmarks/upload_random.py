"""Bytes that do not compress: client → gRPC → server → MinIO, against ``Minio.fput_object`` of the same file.

Run: ``python -m benchmarks.upload_random [--mib 1024] [--pairs 5]``. Both sides take turns in one run;
throughput is to the moment the call returns: durable and recorded here, durable there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from pathlib import Path

from benchmarks.stage import Stage, stage
from longshore_client import Client, PayloadFormat, Way


def make_file(path: Path, mib: int) -> Path:
    with path.open("wb") as stream:
        for _ in range(mib):
            stream.write(os.urandom(1 << 20))
    return path


def direct_s(stage: Stage, path: Path) -> float:
    begun = time.perf_counter()
    stage.minio.client().fput_object(stage.bucket, "direct", str(path))
    return time.perf_counter() - begun


async def longshore_s(client: Client, path: Path, way: Way) -> float:
    begun = time.perf_counter()
    await client.deploy(path, project="bench", payload_format=PayloadFormat.FILE, way=way)
    return time.perf_counter() - begun


async def run(mib: int, pairs: int, ways: list[Way]) -> None:
    with stage() as where:
        path = where.folder / "payload.bin"
        roles = {"LONGSHORE_NODE__ROLES": "receive,control"}
        async with where.server(**roles) as server, Client(server.address) as client:
            await longshore_s(client, make_file(path, 64), Way.PLAIN)
            for way in ways:
                seconds: list[tuple[float, float]] = []
                for _ in range(pairs):
                    make_file(path, mib)
                    seconds.append((direct_s(where, path), await longshore_s(client, path, way)))
                    tell(way, mib, *seconds[-1])
                tell(way, mib, *(statistics.median(column) for column in zip(*seconds, strict=True)))


def tell(way: Way, mib: int, direct: float, ours: float) -> None:
    speeds = f"fput_object {mib / direct:.0f} MiB/s, longshore {mib / ours:.0f} MiB/s"
    print(f"{way.value}: {speeds}, ratio {direct / ours:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--ways", nargs="*", default=["plain", "thrifty"])
    arguments = parser.parse_args()
    asyncio.run(run(arguments.mib, arguments.pairs, [Way(way) for way in arguments.ways]))


if __name__ == "__main__":
    main()
