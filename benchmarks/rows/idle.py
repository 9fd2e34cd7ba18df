"""What a node asks of PostgreSQL and etcd while nobody wants anything of it, beside a history of deployments.

Statements are counted as PostgreSQL logs them, those that begin and end transactions too; etcd's requests by
its own counter of calls that were begun. Health checks, metrics and clients are asked for by nobody.
"""

from __future__ import annotations

import asyncio
import re
from urllib.request import urlopen

from benchmarks.history import fill_history
from benchmarks.results import Measured
from benchmarks.services import Services, services
from benchmarks.sql_log import log_statements, statements
from benchmarks.stage import Bench

_DEPLOYMENTS = 500
_CALLS = re.compile(r"^grpc_server_started_total\{.*\} (?P<count>\S+)$", re.MULTILINE)
# What a node does at its start has ended by then.
_SETTLED_S = 10


async def measure(bench: Bench) -> Measured:
    with services(bench) as started:
        return await measure_on(bench, started)


async def measure_on(bench: Bench, started: Services) -> Measured:
    """Measure on services that run."""
    asked_rates: list[float] = []
    calls: list[float] = []
    asked: list[str] = []
    with started.postgres.fresh_database() as database:
        await fill_history(started.postgres.url(database), _DEPLOYMENTS)
        log_statements(started.postgres, database)
        async with started.node(bench, database):
            await asyncio.sleep(min(_SETTLED_S, bench.sizes.idle_s))
            for _ in range(bench.sizes.pairs):
                before = len(statements(started.postgres, database)), _etcd_calls(started)
                await asyncio.sleep(bench.sizes.idle_s)
                asked = statements(started.postgres, database)[before[0] :]
                asked_rates.append(len(asked) / bench.sizes.idle_s)
                calls.append((_etcd_calls(started) - before[1]) / bench.sizes.idle_s)
                bench.say(f"{asked_rates[-1]:.2f} statements and {calls[-1]:.2f} requests a second")
        if not statements(started.postgres, database):
            raise RuntimeError("PostgreSQL has not logged a single statement")
    return Measured(
        {"idle.statements": asked_rates, "idle.requests": calls},
        {
            "deployments": _DEPLOYMENTS,
            "seconds": bench.sizes.idle_s,
            "statements": {name: asked.count(name) for name in sorted(set(asked))},
        },
    )


def _etcd_calls(started: Services) -> float:
    total = 0.0
    for member in started.etcd.members:
        with urlopen(f"{member.url}/metrics", timeout=10) as answer:
            total += sum(float(match["count"]) for match in _CALLS.finditer(answer.read().decode()))
    return total
