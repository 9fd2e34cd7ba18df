"""Which releases keep their payload: policies by environment, and what is spared whatever they say."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from longshore_storage.catalogue import (
    Catalogue,
    audit_trail,
    nodes,
    projects,
    releases,
    retaining,
    tables,
    uploads,
)
from longshore_storage.catalogue.deployments import insert_deployment
from longshore_storage.catalogue.retaining import PayloadShare, ReleaseUse, RetentionPolicy
from longshore_storage.catalogue.rows import Actor, Release
from longshore_storage.collecting import Retention
from longshore_storage.collecting.retention import reclaim_payloads

from .store import release_values

ACTOR = Actor("node:one")
Policies = Mapping[tuple[str, str], RetentionPolicy]
KEEP_TWO = RetentionPolicy(keep_releases=2)
LEAST = {("netops", "default"): RetentionPolicy(keep_releases=1), ("netops", "staging"): KEEP_TWO}


@dataclass
class Shelf:
    """Releases as rows, without a byte behind them."""

    catalogue: Catalogue
    known: dict[str, Release] = field(default_factory=dict)

    async def deploy(
        self,
        version: str,
        *,
        environment: str = "default",
        project: str = "netops",
        status: str = "SUCCEEDED",
        live: bool = False,
        days_ago: int = 0,
        size_bytes: int = 100,
        **values: Any,
    ) -> str:
        """Deploy a version, made when it is new, into an environment; the deployment's id."""
        async with self.catalogue.transaction() as transaction:
            now = await transaction.now()
            await projects.ensure_project(transaction, project, project)
            await projects.ensure_environment(transaction, environment)
            row = await projects.lock_live(transaction, project, environment)
            release = self.known.get(f"{project} {version}")
            if release is None:
                sha256 = uuid.uuid4().hex * 2
                await transaction.execute(
                    insert(tables.payload).values(
                        sha256=sha256,
                        size_bytes=size_bytes,
                        chunk_count=1,
                        manifest_key=uuid.uuid4().hex,
                        create_time=now,
                    )
                )
                release = await releases.insert_release(
                    transaction, **release_values(project, version, sha256, size_bytes, "")
                )
                self.known[f"{project} {version}"] = release
            deployment = await insert_deployment(
                transaction,
                ACTOR,
                id=str(uuid.uuid4()),
                project=project,
                environment=environment,
                kind="RELEASE",
                request_digest="",
                release_id=release.id,
                version=version,
                record_time=now - timedelta(days=days_ago),
                **values,
            )
            d = tables.deployment
            await transaction.execute(update(d).where(d.c.id == deployment.id).values(status=status))
            if live:
                await projects.set_live(
                    transaction, row, release_id=release.id, deployment_id=deployment.id, generation=1
                )
        return deployment.id

    async def set(self, environment: str, **values: Any) -> None:
        async with self.catalogue.transaction() as transaction:
            await projects.change_settings(transaction, "netops", environment, **values)

    async def reclaim(self, policies: Policies, *, rollback_targets: int = 0) -> tuple[int, int]:
        def policy_of(project: str, environment: str) -> RetentionPolicy:
            return policies.get((project, environment), RetentionPolicy())

        return await reclaim_payloads(self.catalogue, Retention(policy_of, rollback_targets), ACTOR)

    async def kept(self, project: str = "netops") -> list[str]:
        r = tables.release
        async with self.catalogue.reading() as transaction:
            rows = await transaction.all(
                select(r.c.version)
                .where(r.c.project == project, r.c.stored_payload.is_not(None))
                .order_by(r.c.version)
            )
        return [row.version for row in rows]


@pytest.fixture
def shelf(catalogue: Catalogue) -> Shelf:
    return Shelf(catalogue)


async def test_without_a_limit_everything_is_kept(shelf: Shelf) -> None:
    for number in range(4):
        await shelf.deploy(f"1.{number}.0", days_ago=1000)
    assert await shelf.reclaim({}) == (0, 0)
    assert len(await shelf.kept()) == 4


async def test_by_count_the_last_deployed_stay(shelf: Shelf) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.0.0"):
        await shelf.deploy(version)
    assert await shelf.reclaim({("netops", "default"): KEEP_TWO}) == (1, 100)
    assert await shelf.kept() == ["1.0.0", "1.2.0"], "1.0.0 was deployed last"
    assert await shelf.reclaim({("netops", "default"): KEEP_TWO}) == (0, 0)


async def test_by_age_since_the_last_deployment(shelf: Shelf) -> None:
    await shelf.deploy("1.0.0", days_ago=9)
    await shelf.deploy("1.1.0", days_ago=9)
    await shelf.deploy("1.0.0", days_ago=1)
    policy = RetentionPolicy(max_age=timedelta(days=5))
    assert await shelf.reclaim({("netops", "default"): policy}) == (1, 100)
    assert await shelf.kept() == ["1.0.0"]


async def test_by_bytes_the_last_deployed_that_fit_stay(shelf: Shelf) -> None:
    for number, size_bytes in enumerate([10, 500, 300, 200]):
        await shelf.deploy(f"1.{number}.0", size_bytes=size_bytes)
    policy = RetentionPolicy(max_bytes=500)
    assert await shelf.reclaim({("netops", "default"): policy}) == (2, 510)
    assert await shelf.kept() == ["1.2.0", "1.3.0"]


async def test_each_limit_counts(shelf: Shelf) -> None:
    await shelf.deploy("1.0.0", days_ago=9)
    for number in range(1, 4):
        await shelf.deploy(f"1.{number}.0")
    policy = RetentionPolicy(keep_releases=3, max_age=timedelta(days=5), max_bytes=250)
    await shelf.reclaim({("netops", "default"): policy})
    assert await shelf.kept() == ["1.2.0", "1.3.0"]


async def test_what_one_environment_keeps_stays(shelf: Shelf) -> None:
    for number in range(4):
        await shelf.deploy(f"1.{number}.0", environment="staging")
    await shelf.deploy("1.0.0", environment="production")
    assert (await shelf.reclaim({("netops", "staging"): KEEP_TWO}))[0] == 1
    assert await shelf.kept() == ["1.0.0", "1.2.0", "1.3.0"], "production keeps all that it has had"
    assert (await shelf.reclaim({("netops", "staging"): KEEP_TWO, ("netops", "production"): KEEP_TWO})) == (
        0,
        0,
    )


async def test_each_project_has_its_own(shelf: Shelf) -> None:
    for project in ("netops", "other", "third"):
        for number in range(3):
            await shelf.deploy(f"1.{number}.0", project=project)
    await shelf.reclaim(
        {("netops", "default"): RetentionPolicy(keep_releases=1), ("third", "default"): KEEP_TWO}
    )
    assert [len(await shelf.kept(project)) for project in ("netops", "other", "third")] == [1, 3, 2]


async def test_failed_deployments_count_as_well(shelf: Shelf) -> None:
    """A payload that never went live is kept as long as one that did, and no longer."""
    for number, status in enumerate(["FAILED", "SUPERSEDED", "SUCCEEDED", "FAILED"]):
        await shelf.deploy(f"1.{number}.0", status=status)
    await shelf.reclaim({("netops", "default"): KEEP_TWO})
    assert await shelf.kept() == ["1.2.0", "1.3.0"]


async def test_what_was_set_for_a_place_comes_before_the_settings(shelf: Shelf) -> None:
    for number in range(5):
        for environment in ("default", "staging"):
            await shelf.deploy(f"1.{number}.0", environment=environment, days_ago=9 - number)
    policies = {("netops", "default"): KEEP_TWO, ("netops", "staging"): KEEP_TWO}
    await shelf.set("default", keep_releases=0)
    assert await shelf.reclaim(policies) == (0, 0), "0 is no limit"
    await shelf.set("default", keep_releases=3, keep_for_s=6 * 86_400 + 3600)
    await shelf.reclaim(policies)
    assert await shelf.kept() == ["1.3.0", "1.4.0"]
    await shelf.set("default", keep_releases=None, keep_for_s=None)
    await shelf.set("staging", keep_releases=1, keep_bytes=100)
    await shelf.reclaim({})
    assert await shelf.kept() == ["1.3.0", "1.4.0"], "the settings keep all there"
    await shelf.set("default", keep_releases=1)
    await shelf.reclaim({})
    assert await shelf.kept() == ["1.4.0"]


async def test_rollback_targets_set_for_a_place(shelf: Shelf) -> None:
    for number in range(4):
        await shelf.deploy(f"1.{number}.0")
        await shelf.deploy(f"1.{number}.0", environment="staging")
    await shelf.set("default", rollback_targets=3)
    await shelf.set("staging", rollback_targets=0)
    await shelf.reclaim(LEAST, rollback_targets=2)
    assert await shelf.kept() == ["1.1.0", "1.2.0", "1.3.0"]
    await shelf.set("default", rollback_targets=None)
    await shelf.reclaim(LEAST, rollback_targets=2)
    assert await shelf.kept() == ["1.2.0", "1.3.0"]


class TestSpared:
    async def test_what_is_live(self, shelf: Shelf) -> None:
        await shelf.deploy("1.0.0", live=True)
        await shelf.deploy("1.1.0")
        await shelf.deploy("1.2.0")
        await shelf.reclaim(LEAST)
        assert await shelf.kept() == ["1.0.0", "1.2.0"]

    async def test_what_is_live_elsewhere(self, shelf: Shelf) -> None:
        await shelf.deploy("1.0.0", environment="staging", live=True)
        for number in range(1, 4):
            await shelf.deploy(f"1.{number}.0", environment="staging")
        for number in range(3):
            await shelf.deploy(f"1.{number}.0")
        await shelf.reclaim(LEAST)
        assert await shelf.kept() == ["1.0.0", "1.2.0", "1.3.0"]

    @pytest.mark.parametrize("status", ["QUEUED", "ROLLING_OUT", "REVERTING"])
    async def test_what_is_on_its_way(self, shelf: Shelf, status: str) -> None:
        await shelf.deploy("1.0.0", status=status)
        await shelf.deploy("1.1.0")
        await shelf.deploy("1.2.0")
        await shelf.reclaim(LEAST)
        assert await shelf.kept() == ["1.0.0", "1.2.0"]

    async def test_what_a_node_is_assigned(self, shelf: Shelf) -> None:
        await shelf.deploy("1.0.0", status="FAILED")
        await shelf.deploy("1.1.0")
        await shelf.deploy("1.2.0")
        await assign(shelf, "1.0.0")
        await shelf.reclaim(LEAST)
        assert await shelf.kept() == ["1.0.0", "1.2.0"]

    async def test_what_can_be_rolled_back_to(self, shelf: Shelf) -> None:
        ids = [await shelf.deploy(f"1.{number}.0") for number in range(4)]
        await shelf.deploy("1.4.0", status="FAILED")
        await shelf.deploy("1.2.0")
        d = tables.deployment
        async with shelf.catalogue.transaction() as transaction:
            await transaction.execute(update(d).where(d.c.id == ids[3]).values(rolled_back_by=ids[0]))
        await shelf.reclaim(LEAST, rollback_targets=2)
        assert await shelf.kept() == ["1.1.0", "1.2.0"], "1.3.0 was taken back, 1.4.0 never went live"


async def test_it_is_audited_and_goes_by_pages(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longshore_storage.collecting.retention._RELEASES_PAGE", 2)
    monkeypatch.setattr("longshore_storage.collecting.retention._PROJECTS_PAGE", 2)
    for project in ("a", "b", "c", "netops"):
        for number in range(6):
            await shelf.deploy(f"1.{number}.0", project=project)
    assert await shelf.reclaim({("netops", "default"): RetentionPolicy(keep_releases=1)}) == (5, 500)
    async with shelf.catalogue.reading() as transaction:
        audit = await audit_trail.list_audit(transaction, project="netops", limit=100)
    told = [entry for entry in audit if entry.action == "payload.reclaimed"]
    assert sorted(entry.version for entry in told) == [f"1.{number}.0" for number in range(5)]
    assert {(entry.principal, entry.message) for entry in told} == {("node:one", "100 bytes, by retention")}


class TestUses:
    async def test_each_use_is_told_with_its_environment(self, shelf: Shelf) -> None:
        await shelf.deploy("1.0.0", environment="production", live=True)
        await shelf.deploy("1.0.0", environment="staging", status="QUEUED")
        await assign(shelf, "1.0.0")
        await shelf.deploy("1.1.0")
        assert await uses(shelf, "1.0.0", rollback_targets=1) == [
            ReleaseUse("ASSIGNED", "default"),
            ReleaseUse("IN_FLIGHT", "staging"),
            ReleaseUse("LIVE", "production"),
            ReleaseUse("ROLLBACK_TARGET", "production"),
        ]
        assert await uses(shelf, "1.1.0", rollback_targets=0) == []

    async def test_what_only_a_payload_needs_and_what_it_shares(self, shelf: Shelf) -> None:
        for version in ("1.0.0", "1.1.0"):
            await shelf.deploy(version)
        first, second = shelf.known["netops 1.0.0"], shelf.known["netops 1.1.0"]
        async with shelf.catalogue.transaction() as transaction:
            for number, needed_by in enumerate([(first,), (first, second), (second,), (first,)]):
                await transaction.execute(
                    insert(tables.pack_file).values(
                        key=f"packs/{number}",
                        state="STORED",
                        size_bytes=10**number,
                        create_time=await transaction.now(),
                    )
                )
                for release in needed_by:
                    await transaction.execute(
                        insert(tables.payload_pack).values(
                            payload_sha256=release.payload_sha256, pack_key=f"packs/{number}"
                        )
                    )
        assert await share(shelf, first) == PayloadShare(1001, 10)
        deployment_id = await begin_an_upload(shelf)
        await execute(shelf, insert(tables.pin).values(deployment_id=deployment_id, pack_key="packs/3"))
        assert await share(shelf, first) == PayloadShare(1, 1010)
        u = tables.upload
        await execute(shelf, update(u).values(stored_payload=first.payload_sha256))
        assert await share(shelf, first) == PayloadShare(0, 1011)
        await execute(shelf, update(u).values(stored_payload=None))
        r = tables.release
        await execute(shelf, update(r).where(r.c.id == second.id).values(stored_payload=first.payload_sha256))
        assert await share(shelf, first) == PayloadShare(0, 1011)


async def uses(shelf: Shelf, version: str, *, rollback_targets: int) -> list[ReleaseUse]:
    async with shelf.catalogue.reading() as transaction:
        return await retaining.uses_of(
            transaction, shelf.known[f"netops {version}"], rollback_targets=rollback_targets
        )


async def share(shelf: Shelf, release: Release) -> PayloadShare:
    async with shelf.catalogue.reading() as transaction:
        return await retaining.share_of(transaction, release)


async def execute(shelf: Shelf, statement: Any) -> None:
    async with shelf.catalogue.transaction() as transaction:
        await transaction.execute(statement)


async def begin_an_upload(shelf: Shelf) -> str:
    deployment_id = await shelf.deploy("9.0.0", status="RECEIVING")
    async with shelf.catalogue.transaction() as transaction:
        await uploads.begin_upload(transaction, deployment_id, session_id="first", attempt=1)
    return deployment_id


async def assign(shelf: Shelf, version: str) -> None:
    async with shelf.catalogue.transaction() as transaction:
        await nodes.boot(
            transaction,
            "node-1",
            1,
            name="one",
            environment="default",
            roles=["install"],
            address="",
            server_version="",
            free_disk_bytes=0,
        )
        await projects.lock_live(transaction, "netops", "default")
        await transaction.execute(
            insert(tables.assignment).values(
                node_id="node-1",
                environment="default",
                project="netops",
                release_id=shelf.known[f"netops {version}"].id,
                generation=1,
                assign_time=await transaction.now(),
            )
        )
