"""A rollout over hundreds of nodes: statements, the controller's memory and time, for 100 nodes up to 300.

The nodes are agents in one process that only report, by the rows and signals of real ones; they unpack
nothing. They and the node that drives share a pooler with 20 connections to PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

from benchmarks.going_live import until_live
from benchmarks.pooler import find_pgbouncer, pooled
from benchmarks.processes import forget_peak, peak_bytes
from benchmarks.results import Measured
from benchmarks.services import Services, migrated, services
from benchmarks.sizes import MIB
from benchmarks.sql_log import log_statements, statements
from benchmarks.stage import Bench
from longshore_client import Client
from longshore_server.agent.reporting import Reports, Superseded
from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.catalogue import Catalogue, assignments, nodes, open_catalogue
from longshore_storage.coordination import open_coordination
from tests.services.processes import serve

_ENVIRONMENT = "fleet"
_CONNECTIONS = 20
_POLL_S = 10.0


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    figures: dict[int, tuple[float, float, float]] = {}
    program = find_pgbouncer()
    if program is None:
        bench.say("no pooler: install pgbouncer, or name it in LONGSHORE_BENCH_PGBOUNCER")
    with (
        bench.place() as place,
        started.etcd.fresh_prefix() as prefix,
        started.postgres.fresh_database() as database,
        (
            pooled(program, started.postgres, database, place.folder / "pooler", connections=_CONNECTIONS)
            if program is not None
            else nullcontext(started.postgres.url(database))
        ) as url,
    ):
        stores = {
            **place.settings,
            "LONGSHORE_DATABASE__URL": url,
            "LONGSHORE_COORDINATION__URL": started.etcd.url(prefix),
            "LONGSHORE_NODE__ENVIRONMENT": _ENVIRONMENT,
        }
        tree = place.folder / "tree"
        tree.mkdir()
        await migrated(started.postgres.url(database))
        log_statements(started.postgres, database)
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(serve(data_dir=place.folder / "node", env=stores))
            client = await stack.enter_async_context(Client(node.address))
            fleet = await stack.enter_async_context(_fleet(url, started.etcd.url(prefix)))
            for size in bench.sizes.fleets:
                await fleet.grow(size)
                (tree / "size").write_text(str(size))
                before = len(statements(started.postgres, database))
                forget_peak(node.pid)
                idle = peak_bytes(node.pid)
                deployment = await client.deploy(tree, project="bench", environment=_ENVIRONMENT)
                await until_live(client, deployment.deployment_id)
                ended = await client.get(deployment.deployment_id)
                assert ended.start_time is not None
                assert ended.end_time is not None
                figures[size] = (
                    (len(statements(started.postgres, database)) - before) / size,
                    (peak_bytes(node.pid) - idle) / MIB,
                    (ended.end_time - ended.start_time).total_seconds(),
                )
                asked, memory, took = figures[size]
                bench.say(f"{size} nodes: {asked:.1f} statements a node, +{memory:.0f} MiB, {took:.1f} s")
    asked, memory, took = figures[bench.sizes.fleets[-1]]
    return Measured(
        {"fleet.statements": [asked], "fleet.memory": [memory], "fleet.time": [took]},
        {
            "pooler": program is not None,
            "by_nodes": {str(size): [round(value, 2) for value in row] for size, row in figures.items()},
        },
    )


class _Fleet:
    def __init__(self, catalogue: Catalogue, wakeups: Wakeups, stack: AsyncExitStack) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._stack = stack
        self._size = 0

    async def grow(self, size: int) -> None:
        """Have so many nodes."""
        for number in range(self._size, size):
            node_id = f"00000000-0000-4000-8000-{number:012}"
            async with self._catalogue.transaction() as transaction:
                await nodes.boot(
                    transaction,
                    node_id,
                    1,
                    name=f"node-{number:04}",
                    environment=_ENVIRONMENT,
                    roles=["install"],
                    address="",
                    server_version="",
                    free_disk_bytes=0,
                    labels={},
                )
            agent = asyncio.create_task(self._agent(node_id))
            self._stack.callback(agent.cancel)
        self._size = size

    async def _agent(self, node_id: str) -> None:
        """Obey, as a node's agent does, but for the work."""
        look = asyncio.Event()

        def wake(_: str) -> None:
            look.set()

        reports = Reports(self._catalogue, self._wakeups)
        async with self._wakeups.listening(Kind.ASSIGNMENTS, wake):
            while True:
                look.clear()
                async with self._catalogue.reading() as transaction:
                    due = await assignments.due_assignments(transaction, node_id)
                for assignment in due:
                    try:
                        await reports.begin(assignment)
                        await reports.begin_switch(assignment)
                        await reports.live(assignment, "/dev/null")
                    except Superseded:
                        continue
                await woken(look, _POLL_S)


@asynccontextmanager
async def _fleet(database_url: str, coordination_url: str) -> AsyncIterator[_Fleet]:
    async with AsyncExitStack() as stack:
        catalogue = open_catalogue(database_url, pool_size=_CONNECTIONS)
        stack.push_async_callback(catalogue.close)
        coordination = open_coordination(coordination_url)
        stack.push_async_callback(coordination.close)
        wakeups = Wakeups(coordination)
        stack.push_async_callback(wakeups.close)
        yield _Fleet(catalogue, wakeups, stack)
