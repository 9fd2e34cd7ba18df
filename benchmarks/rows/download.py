"""Downloads of what does not compress: a client's and a node's fetch, against ``fget_object``, all to a file.

The client's file is verified and synced to disk, the node's verified chunk by chunk, as when it installs; the
SDK's is neither. All three take turns, the first one changing.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from benchmarks.content import make_random_file
from benchmarks.costs import Cost, cost_of, ratios, summary
from benchmarks.results import Measured
from benchmarks.sizes import MIB
from benchmarks.stage import Bench, Place
from longshore_client import Client, PayloadFormat
from longshore_server.memory import keep_freed_memory
from longshore_server.settings import load_settings
from longshore_server.stores import open_stores
from longshore_storage.payloads import BlockingReader, PayloadStore, read_in_thread
from tests.services.processes import ServerProcess

_SIDES = ("fget_object", "client", "node")


async def measure(bench: Bench) -> Measured:
    # As in a node's process, where both of the sides that run here gain from it.
    keep_freed_memory()
    size_bytes = bench.sizes.payload_bytes
    costs: dict[str, list[Cost]] = defaultdict(list)
    with bench.place() as place:
        path = make_random_file(place.folder / "payload.bin", size_bytes)
        await asyncio.to_thread(place.sdk().fput_object, place.bucket, "direct", str(path))
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(place.server())
            client = await stack.enter_async_context(Client(server.address))
            deployed = await client.deploy(
                path, project="bench", version="1.0.0", payload_format=PayloadFormat.FILE
            )
            payloads = await _as_a_node(place, server, stack)
            target = place.folder / "target.bin"

            async def fetch(side: str) -> None:
                if side == "fget_object":
                    sdk = place.sdk()
                    await asyncio.to_thread(sdk.fget_object, place.bucket, "direct", str(target))
                elif side == "client":
                    await client.download("bench", "1.0.0", target)
                else:
                    await _fetch_as_a_node(payloads, deployed.payload_sha256, target)

            for number in range(bench.sizes.pairs):
                first = number % len(_SIDES)
                for side in _SIDES[first:] + _SIDES[:first]:
                    others = {"minio": place.minio.child.pid}
                    if side == "client":
                        others["server"] = server.pid
                    costs[side].append(await cost_of(partial(fetch, side), others))
                    _check(target, size_bytes)
                speeds = (f"{side} {size_bytes / MIB / costs[side][-1].seconds:.0f} MiB/s" for side in _SIDES)
                bench.say(", ".join(speeds))
    return Measured(
        {
            f"download.{side}": ratios(costs[side], costs["fget_object"])
            for side in _SIDES
            if side != "fget_object"
        },
        {"size_bytes": size_bytes, **{side: summary(costs[side], size_bytes) for side in _SIDES}},
    )


async def _as_a_node(place: Place, server: ServerProcess, stack: AsyncExitStack) -> PayloadStore:
    """The node's stores, opened a second time, as another node would have them."""
    settings = load_settings(
        None,
        {
            "data_dir": server.data_dir,
            "blobs": {"url": place.minio.url(place.bucket)},
        },
    )
    stores = await open_stores(settings, stack)
    return await stack.enter_async_context(PayloadStore(stores.catalogue, stores.blobs))


async def _fetch_as_a_node(payloads: PayloadStore, sha256: str, target: Path) -> None:
    def work(source: BlockingReader) -> None:
        with target.open("wb") as file:
            shutil.copyfileobj(source, file, MIB)

    async with payloads.open(sha256) as reader:
        await read_in_thread(reader.stream(), work)


def _check(target: Path, size_bytes: int) -> None:
    found = target.stat().st_size
    target.unlink()
    if found != size_bytes:
        raise RuntimeError(f"{found} bytes came of {size_bytes}")
