"""Lists of deployments: every filter by itself and with others, whatever the order of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from longshore_storage.catalogue import Catalogue, tables
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.listing import DeploymentFilter, count_uploading, list_deployments

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PROJECTS, ENVIRONMENTS = ("netops", "web"), ("default", "staging")
STATUSES = ("SUCCEEDED", "FAILED", "CANCELLED")
KINDS = ("UPLOAD", "ROLLBACK", "VALIDATION")
ROWS = 60


def row(number: int) -> dict[str, Any]:
    """Deployments whose times and numbers are not in the same order: a clock was set back twice."""
    jump = timedelta(hours=5) if number % 20 > 14 else timedelta()
    return {
        "number": number,
        "id": f"id-{number}",
        "project": PROJECTS[number % 2],
        "environment": ENVIRONMENTS[number // 2 % 2],
        "kind": KINDS[number % 7 % 3],
        "status": STATUSES[number % 5 % 3],
        "request_digest": "",
        "version": f"1.{number % 3}.0",
        "deployed_by": f"caller-{number % 4}",
        "peer": "",
        "request_id": "",
        "create_time": BEGIN + timedelta(minutes=number) - jump,
        "labels": {"team": f"team-{number % 3}", "tier": f"tier-{number % 2}"},
    }


DEPLOYMENTS = [row(number) for number in range(1, ROWS + 1)]


@pytest.fixture
async def filled(catalogue: Catalogue) -> Catalogue:
    async with catalogue.transaction() as transaction:
        for name in PROJECTS:
            await transaction.execute(
                insert(tables.project).values(name=name, display_name=name, create_time=BEGIN)
            )
        for name in ENVIRONMENTS:
            await transaction.execute(insert(tables.environment).values(name=name, create_time=BEGIN))
        await transaction.execute(insert(tables.deployment), DEPLOYMENTS)
        labels = [
            {"key": key, "value": value, "number": each["number"]}
            for each in DEPLOYMENTS
            for key, value in each["labels"].items()
        ]
        await transaction.execute(insert(tables.deployment_label), labels)
    return catalogue


def matches(each: dict[str, Any], asked: DeploymentFilter) -> bool:
    return (
        each["kind"] != "VALIDATION"
        and all(
            not wanted or each[name] == wanted
            for name, wanted in {
                "project": asked.project,
                "environment": asked.environment,
                "version": asked.version,
                "deployed_by": asked.deployed_by,
            }.items()
        )
        and (not asked.statuses or each["status"] in asked.statuses)
        and (asked.since is None or each["create_time"] >= asked.since)
        and (asked.until is None or each["create_time"] < asked.until)
        and asked.labels.items() <= each["labels"].items()
    )


async def pages(catalogue: Catalogue, asked: DeploymentFilter, limit: int) -> list[int]:
    found: list[int] = []
    while True:
        async with catalogue.reading() as transaction:
            page = await list_deployments(transaction, asked, below=found[-1] if found else None, limit=limit)
        found += [one.number for one in page]
        if len(page) < limit:
            return found


def moments() -> st.SearchStrategy[datetime | None]:
    return st.one_of(
        st.none(), st.integers(-400, 100).map(lambda minutes: BEGIN + timedelta(minutes=minutes))
    )


FILTERS = st.builds(
    DeploymentFilter,
    project=st.sampled_from(("", *PROJECTS, "nothing")),
    environment=st.sampled_from(("", *ENVIRONMENTS)),
    statuses=st.one_of(
        st.frozensets(st.sampled_from((*STATUSES, "STAGED"))), st.just(frozenset(DeploymentStatus))
    ),
    version=st.sampled_from(("", "1.1.0")),
    deployed_by=st.sampled_from(("", "caller-1")),
    since=moments(),
    until=moments(),
    labels=st.sampled_from(({}, {"team": "team-1"}, {"team": "team-2", "tier": "tier-1"}, {"team": "?"})),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(asked=FILTERS, limit=st.integers(1, 7))
async def test_all_that_match_come_once_newest_first(
    filled: Catalogue, asked: DeploymentFilter, limit: int
) -> None:
    wanted = [each["number"] for each in reversed(DEPLOYMENTS) if matches(each, asked)]
    assert await pages(filled, asked, limit) == wanted


async def test_all_statuses_are_read_as_one_list(filled: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself would be looked through to its end by whoever may read little."""
    asked: list[str] = []
    async with filled.reading() as transaction:
        read = transaction.all

        async def noted(statement: Any) -> Any:
            asked.append(str(statement))
            return await read(statement)

        monkeypatch.setattr(transaction, "all", noted)
        for statuses in (frozenset(DeploymentStatus), STATUSES):
            await list_deployments(transaction, DeploymentFilter(statuses=statuses), limit=5)
    assert [statement.count("UNION ALL") for statement in asked] == [0, 2]


async def test_uploads_under_way_are_counted_by_principal(filled: Catalogue) -> None:
    under_way = [
        {**row(ROWS + number), "status": status, "deployed_by": principal, "kind": kind}
        for number, (principal, status, kind) in enumerate(
            [
                ("alice", "PENDING", "UPLOAD"),
                ("alice", "RECEIVING", "UPLOAD"),
                ("alice", "RECEIVING", "VALIDATION"),
                ("alice", "STAGED", "UPLOAD"),
                ("bob", "RECEIVING", "UPLOAD"),
            ],
            start=1,
        )
    ]
    async with filled.transaction() as transaction:
        await transaction.execute(insert(tables.deployment), under_way)
        counts = [
            await count_uploading(transaction, principal, most=most)
            for principal, most in (("alice", 500), ("alice", 1), ("bob", 500), ("caller-1", 500))
        ]
    assert counts == [2, 1, 1, 0]
