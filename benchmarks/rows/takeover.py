"""How long a rollout has no owner: from the SIGKILL of the one that drives it until another node drives.

Two nodes take uploads and drive, with a lease of 5 s; a third installs, and is held in the middle of each
rollout by a hook.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg

from benchmarks.going_live import until_live
from benchmarks.results import Measured
from benchmarks.services import Services, migrated, services
from benchmarks.stage import Bench
from longshore_client import Client
from tests.services.processes import ServerProcess, serve

_LEASE_S = 5
_LOOK_S = 0.02
_LONGEST_S = 120


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    taken: list[float] = []
    with (
        bench.place() as place,
        started.etcd.fresh_prefix() as prefix,
        started.postgres.fresh_database() as database,
    ):
        stores = {
            **place.settings,
            "LONGSHORE_DATABASE__URL": started.postgres.url(database),
            "LONGSHORE_COORDINATION__URL": started.etcd.url(prefix),
            "LONGSHORE_COORDINATION__LEASE_S": str(_LEASE_S),
        }
        held = place.folder / "held"
        await migrated(started.postgres.url(database))
        async with AsyncExitStack() as stack:
            installer = {**stores, **_installer(held)}
            await stack.enter_async_context(serve(data_dir=place.folder / "installer", env=installer))
            for number in range(bench.sizes.pairs):
                taken.append(await _take_over(place.folder / str(number), stores, started, database, held))
                bench.say(f"{taken[-1]:.1f} s")
    return Measured({"takeover.time": taken}, {"lease_s": _LEASE_S})


async def _take_over(
    folder: Path, stores: Mapping[str, str], started: Services, database: str, held: Path
) -> float:
    """Seconds, for two new drivers of which the one that drives is killed."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    (tree / "version").write_text(folder.name)
    await asyncio.to_thread(held.touch)
    async with AsyncExitStack() as stack:
        drivers: list[ServerProcess] = []
        for name in (f"{folder.name}-one", f"{folder.name}-two"):
            env = {**stores, "LONGSHORE_NODE__NAME": name}
            drivers.append(await stack.enter_async_context(serve(data_dir=folder / name, env=env)))
        async with Client(",".join(driver.address for driver in drivers)) as client:
            deployment = await client.deploy(tree, project="bench")
            url = started.postgres.url(database).replace("postgresql+psycopg", "postgresql")
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                owner, _ = await _owner(connection, deployment.deployment_id, above=0)
                await _until_held(connection, deployment.deployment_id)
                killed = next(one for one in drivers if _node_id(one) == owner)
                epoch = (await _owner(connection, deployment.deployment_id, above=0))[1]
                begun = time.perf_counter()
                killed.kill()
                await _owner(connection, deployment.deployment_id, above=epoch)
                taken = time.perf_counter() - begun
            await asyncio.to_thread(held.unlink)
            await until_live(client, deployment.deployment_id)
    return taken


async def _owner(
    connection: psycopg.AsyncConnection[tuple[str, int]], deployment_id: str, *, above: int
) -> tuple[str, int]:
    """The node that drives, and its epoch, once that is above ``above``."""
    query = "SELECT owner_node_id, owner_epoch FROM deployment WHERE id = %s AND owner_epoch > %s"
    async with asyncio.timeout(_LONGEST_S):
        while True:
            cursor = await connection.execute(query, [deployment_id, above])
            if (row := await cursor.fetchone()) is not None:
                return row
            await asyncio.sleep(_LOOK_S)


async def _until_held(connection: psycopg.AsyncConnection[tuple[str, int]], deployment_id: str) -> None:
    query = "SELECT hook, 0 FROM hook_output WHERE deployment_id = %s"
    async with asyncio.timeout(_LONGEST_S):
        while True:
            if await (await connection.execute(query, [deployment_id])).fetchone() is not None:
                return
            await asyncio.sleep(_LOOK_S)


def _node_id(server: ServerProcess) -> str:
    return str(json.loads((server.data_dir / "node.json").read_text())["node_id"])


def _installer(held: Path) -> dict[str, str]:
    """A node that only installs, and waits before each switch while ``held`` is there."""
    hook = {
        "name": "hold",
        "when": "before_switch",
        "command": ["sh", "-c", f"while [ -e '{held}' ]; do sleep 0.05; done"],
        "timeout_s": _LONGEST_S,
    }
    return {
        "LONGSHORE_NODE__NAME": "installer",
        "LONGSHORE_NODE__ROLES": "install",
        "LONGSHORE_NODE__HOOKS": json.dumps([hook]),
    }
