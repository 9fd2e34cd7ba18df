"""HTTP/2 misused on a raw socket: others are served meanwhile, and the node stays as small as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

from benchmarks.processes import forget_peak, peak_bytes, resident_bytes
from longshore.v1 import deployment_service_pb2 as pb
from longshore.v1.deployment_pb2 import PAYLOAD_FORMAT_FILE as FILE
from tests.server.calls import deploy_to_end
from tests.server.contents import random_bytes
from tests.server.running import Stubs
from tests.services.processes import ServerProcess

from . import frames as h2
from .standing import MIB, assert_serving, standing

_INFO = "/longshore.v1.ClusterService/GetServerInfo"
_DEPLOY = "/longshore.v1.DeploymentService/Deploy"
_WATCH = "/longshore.v1.DeploymentService/WatchDeployments"
_DOWNLOAD = "/longshore.v1.DeploymentService/DownloadPayload"
_HEALTH_WATCH = "/grpc.health.v1.Health/Watch"


async def rapid_reset(server: ServerProcess) -> None:
    """Calls that are begun and taken back at once, without end (CVE-2023-44487)."""
    async with h2.RawConnection(server.address) as connection:
        cancel = h2.CANCEL.to_bytes(4, "big")
        for stream in range(1, 30_000, 2):
            sent = h2.begin(stream, _INFO) + h2.frame(h2.RST_STREAM, stream=stream, content=cancel)
            if not await connection.send(sent):
                break


async def pings(server: ServerProcess) -> None:
    """More often than clients may: the server closes the connection."""
    async with h2.RawConnection(server.address) as connection:
        for _ in range(1_000):
            await connection.send(h2.frame(h2.PING, content=bytes(8)))
        assert await connection.until_closed(10)


async def settings(server: ServerProcess) -> None:
    """Each of them is answered, and nobody reads the answers."""
    async with h2.RawConnection(server.address, reads=False) as connection:
        for _ in range(200):
            try:
                async with asyncio.timeout(1):
                    await connection.send(h2.settings(window=65_535) * 1_000)
            except TimeoutError:
                # It reads no more from who does not read.
                return


async def continuations(server: ServerProcess) -> None:
    """Headers of one call that never end (CVE-2024-27316 and others)."""
    async with h2.RawConnection(server.address) as connection:
        await connection.send(h2.frame(h2.HEADERS, 0, 1, h2.call_fields(_INFO)))
        more = h2.field(b"x", b"y" * 16_000)
        for _ in range(2_000):
            if not await connection.send(h2.frame(h2.CONTINUATION, 0, 1, more)):
                break


async def large_headers(server: ServerProcess) -> None:
    """More in the headers than a call may have, by who never acknowledges that limit, again and again."""
    async with h2.RawConnection(server.address, acknowledges=False) as connection:
        for stream in range(1, 2_000, 2):
            first = h2.frame(h2.HEADERS, h2.END_STREAM, stream, h2.call_fields(_INFO))
            more = h2.frame(h2.CONTINUATION, 0, stream, h2.field(b"x", b"y" * 16_000))
            last = h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream)
            if not await connection.send(first, more * 5, last):
                break
        await connection.answered()


async def no_windows(server: ServerProcess) -> None:
    """Streams whose answers may never be sent."""
    request = pb.DownloadPayloadRequest(project="netops", version="1.0.0").SerializeToString()
    async with h2.RawConnection(server.address, first=[h2.settings(window=0)]) as connection:
        for stream in range(1, 200, 2):
            path, content = (
                (_DOWNLOAD, request),
                (_WATCH, b""),
                (_HEALTH_WATCH, b""),
                (_INFO, b""),
            )[stream // 2 % 4]
            await connection.send(h2.begin(stream, path), h2.message(stream, content))
        await connection.answered()


async def half_open(server: ServerProcess) -> None:
    """Uploads of which nothing comes behind the first message, on some connections."""
    async with AsyncExitStack() as stack:
        for _ in range(4):
            connection = await stack.enter_async_context(h2.RawConnection(server.address))
            for stream in range(1, 1_000, 2):
                await connection.send(h2.begin(stream, _DEPLOY))
        await assert_serving(server)


async def slow_writers(server: ServerProcess) -> None:
    """Messages that are announced as large and come byte by byte."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(h2.RawConnection(server.address)) for _ in range(20)]
        for connection in connections:
            for stream in range(1, 100, 2):
                announced = b"\0" + (4 << 20).to_bytes(4, "big") + bytes(10)
                await connection.send(h2.begin(stream, _DEPLOY), h2.frame(h2.DATA, 0, stream, announced))
        await assert_serving(server)


async def no_http(server: ServerProcess) -> None:
    """Bytes that are no HTTP/2, and frames that say more than comes."""
    for content in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + bytes(500), bytes(9), b"\xff" * 5_000):
        async with h2.RawConnection(server.address, first=[content]) as connection:
            await connection.send(content)


FLOODS: dict[str, Callable[[ServerProcess], Coroutine[Any, Any, None]]] = {
    "rapid reset": rapid_reset,
    "pings": pings,
    "settings": settings,
    "continuations": continuations,
    "large headers": large_headers,
    "no windows": no_windows,
    "half-open": half_open,
    "slow writers": slow_writers,
    "no HTTP": no_http,
}
# Of one flood; without the limits of ``serving`` the first takes as much for every six thousand calls.
_MOST_BYTES = 64 * MIB
# Of a thousand calls with 80 kB of headers each, where they come faster than they are refused, all is there.
_SENT_BYTES = {"large headers": 1_000 * 80_000}


async def test_others_are_served_meanwhile(tmp_path: Path) -> None:
    async with standing(tmp_path, may_grow_bytes=len(FLOODS) * _MOST_BYTES) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stubs, content = Stubs(channel), random_bytes(8 << 20)
            await deploy_to_end(stubs, content, version="1.0.0", file_name="x", payload_format=FILE)
        async with h2.RawConnection(server.address, acknowledges=False) as silent:
            for name, flood in FLOODS.items():
                before = resident_bytes(server.pid)
                forget_peak(server.pid)
                flooding = asyncio.create_task(flood(server))
                served = 0
                while not flooding.done():
                    await assert_serving(server)
                    served += 1
                await flooding
                grown = peak_bytes(server.pid) - before
                # Seen with `pytest -s`.
                print(f"{name}: {served} served meanwhile, +{grown >> 20} MiB")
                assert served
                assert grown <= _MOST_BYTES + _SENT_BYTES.get(name, 0), f"{name}: +{grown >> 20} MiB"
            # Who never acknowledges the limits does not stay.
            assert await silent.until_closed(20)
