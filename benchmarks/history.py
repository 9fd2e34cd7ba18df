"""A catalogue with as many deployments as one likes, as years of use leave them: one a minute."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from benchmarks.filling import add
from longshore_storage.catalogue import open_catalogue, tables

_PROJECTS = 10
_CALLERS = 20
_TEAMS = 10
_VERSIONS = 20
# So many are rare, however many there are.
_RARE = 100
_NODE_ID = "00000000-0000-4000-8000-000000000001"
_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def time_of(number: int) -> datetime:
    """When deployment ``number`` was accepted."""
    return _BEGIN + timedelta(minutes=number)


async def fill_history(url: str, deployments: int) -> None:
    """Bring an empty database up to date, and fill it with deployments that have ended."""
    catalogue = open_catalogue(url)
    numbers = range(1, deployments + 1)
    names = [f"project-{number}" for number in range(_PROJECTS)]
    try:
        await catalogue.migrate()
        await add(
            catalogue, tables.project, ({"name": n, "display_name": n, "create_time": _BEGIN} for n in names)
        )
        places = ("default", "staging")
        await add(catalogue, tables.environment, ({"name": n, "create_time": _BEGIN} for n in places))
        await add(catalogue, tables.deployment, (_deployment(number, deployments) for number in numbers))
        await add(catalogue, tables.deployment_label, map(_label, numbers))
        await add(catalogue, tables.activation, map(_activation, numbers))
        async with catalogue.transaction() as transaction:
            if transaction.dialect != "sqlite":
                # As its autovacuum does after a while; SQLite has nothing of the kind.
                await transaction.execute(text("ANALYZE"))
    finally:
        await catalogue.close()


def _deployment(number: int, of: int) -> dict[str, Any]:
    moment = time_of(number)
    status = "FAILED" if number % 9 == 0 else "SUCCEEDED"
    if number % max(of // _RARE, 1) == 0:
        status = "CANCELLED"
    return {
        "number": number,
        "id": _id(number),
        "project": f"project-{number % _PROJECTS}",
        "environment": "staging" if number // _PROJECTS % 2 else "default",
        "kind": "RELEASE",
        "status": status,
        "request_digest": "",
        "version": f"1.{number // 7 % _VERSIONS}.0",
        "deployed_by": f"caller-{number // 3 % _CALLERS}",
        "peer": "ipv4:192.0.2.1:4711",
        "request_id": uuid.UUID(int=number).hex,
        "create_time": moment,
        "record_time": moment,
        "start_time": moment,
        "end_time": moment + timedelta(seconds=9),
        "generation": number,
        "last_sequence": 6,
        "labels": {"team": _team(number)},
    }


def _label(number: int) -> dict[str, Any]:
    return {"key": "team", "value": _team(number), "number": number}


def _activation(number: int) -> dict[str, Any]:
    row = _deployment(number, number)
    return {
        "node_id": _NODE_ID,
        "environment": row["environment"],
        "project": row["project"],
        "generation": number,
        "node_name": "one",
        "deployment_id": row["id"],
        "status": "LIVE",
        "report_time": row["end_time"],
    }


def _id(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


def _team(number: int) -> str:
    return f"team-{number // 11 % _TEAMS}"
