"""One place's rollout without a node: rows by the catalogue's own functions, steps taken one by one."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy import literal, select, update

from longshore_bundles import order_key
from longshore_server.deploying.cancelling import Cancellation
from longshore_server.deploying.environment_settings import EnvironmentSettings, SettingsRequest
from longshore_server.deploying.gates import Gates
from longshore_server.deploying.pausing import Pausing
from longshore_server.deploying.release_deployments import ReleaseDeployments
from longshore_server.deploying.requests import (
    CancelRequest,
    PromoteRequest,
    ReleaseRequest,
    RetryRequest,
    RollbackRequest,
    UndeployRequest,
)
from longshore_server.deploying.rollbacks import Rollbacks
from longshore_server.deploying.second_person import SecondPerson
from longshore_server.deploying.terms import Terms
from longshore_server.deploying.undeploying import Undeploys
from longshore_server.rollout.step import Progress, RolloutStep
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import (
    Catalogue,
    activations,
    assignments,
    deployments,
    nodes,
    packs,
    projects,
    releases,
    stored_payloads,
    tables,
)
from longshore_storage.catalogue.journal import events_after
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Activation, Actor, Assignment, Deployment, Event, Live
from longshore_storage.coordination.local import LocalCoordination

ACTOR = Actor("tests")
PROJECT, ENVIRONMENT = "netops", "default"
OPEN = (ActivationStatus.PENDING, ActivationStatus.FETCHING, ActivationStatus.SWITCHING)


class Place:
    """A project in an environment, made by ``open_place``."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups) -> None:
        self.catalogue = catalogue
        self.wakeups = wakeups
        second_person = SecondPerson(catalogue)
        self.releases = ReleaseDeployments(catalogue, wakeups, second_person)
        self.rollbacks = Rollbacks(catalogue, wakeups, second_person)
        self.undeploys = Undeploys(catalogue, wakeups)
        self.cancellation = Cancellation(catalogue, wakeups)
        self.gates = Gates(catalogue, wakeups, second_person)
        self.pausing = Pausing(catalogue, wakeups)
        self.settings = EnvironmentSettings(catalogue, wakeups)

    def step(self, *, name: str = "c1", progress_deadline_s: float = 600) -> RolloutStep:
        return RolloutStep(
            self.catalogue,
            self.wakeups,
            node_id=name,
            node_name=name,
            project=PROJECT,
            environment=ENVIRONMENT,
            progress_deadline_s=progress_deadline_s,
        )

    async def node(self, name: str, *, roles: tuple[str, ...] = ("install",)) -> None:
        """A node starts; its id is its name."""
        async with self.catalogue.transaction() as transaction:
            await nodes.boot(
                transaction,
                name,
                await nodes.next_boot(transaction, name, last=None),
                name=name,
                environment=ENVIRONMENT,
                roles=roles,
                address="",
                server_version="",
                free_disk_bytes=0,
            )

    async def label(self, name: str, labels: dict[str, str]) -> None:
        """The node's settings name labels from now on."""
        n = tables.node
        async with self.catalogue.transaction() as transaction:
            await transaction.execute(update(n).where(n.c.id == name).values(labels=labels))

    async def remove(self, name: str) -> None:
        """The node is forgotten."""
        async with self.catalogue.transaction() as transaction:
            assert await nodes.remove(transaction, name)

    async def release(self, version: str) -> None:
        """A release with the rows of a stored payload."""
        sha256 = hashlib.sha256(version.encode()).hexdigest()
        async with self.catalogue.transaction() as transaction:
            await projects.ensure_project(transaction, PROJECT, PROJECT)
            await projects.ensure_environment(transaction, ENVIRONMENT)
            pack_key = f"packs/{version}"
            await packs.begin_pack(transaction, pack_key)
            await packs.mark_stored(transaction, pack_key, 100)
            await stored_payloads.insert_payload(
                transaction,
                sha256=sha256,
                size_bytes=100,
                chunk_count=1,
                manifest_key=f"manifests/{version}",
                pack_keys=[pack_key],
            )
            await releases.insert_release(
                transaction,
                project=PROJECT,
                version=version,
                version_key=version,
                version_order=order_key(version),
                payload_sha256=sha256,
                stored_payload=sha256,
                content_sha256=sha256,
                payload_size_bytes=100,
                payload_format="TAR",
                file_name="",
                entries=1,
                unpacked_size_bytes=100,
                created_by="tests",
                deployment_id="",
                kind="COMPONENT",
                source=None,
                install_method="",
                validation_skipped=False,
            )

    async def queue(self, version: str, **terms: Any) -> str:
        """Queue a release; the deployment's id."""
        request = ReleaseRequest(str(uuid4()), PROJECT, ENVIRONMENT, version, Terms(**terms).checked())
        return (await self.releases.deploy_release(request, ACTOR)).id

    async def undeploy(self, **terms: Any) -> str:
        """The undeploy's id; empty when there is nothing to do."""
        request = UndeployRequest(str(uuid4()), PROJECT, ENVIRONMENT, Terms(**terms).checked())
        deployment = await self.undeploys.undeploy(request, ACTOR)
        return deployment.id if deployment is not None else ""

    async def cancel(self, deployment_id: str, reason: str = "") -> Deployment:
        return await self.cancellation.cancel(CancelRequest(deployment_id, reason).checked(), ACTOR)

    async def promote(self, deployment_id: str, gate_id: str = "") -> Deployment:
        """Past its gate, unless another one is named."""
        gate_id = gate_id or (await self.get(deployment_id)).gate_id
        return await self.gates.promote(PromoteRequest(deployment_id, gate_id).checked(), ACTOR)

    async def freeze(self, reason: str) -> None:
        request = SettingsRequest(PROJECT, ENVIRONMENT, "", {"freeze_reason": reason})
        await self.settings.update(request.checked(), ACTOR)

    async def retry(self, deployment_id: str, **terms: Any) -> str:
        request = RetryRequest(str(uuid4()), deployment_id, Terms(**terms).checked())
        return (await self.releases.retry(request, ACTOR)).id

    async def roll_back(self, version: str = "") -> str:
        request = RollbackRequest(str(uuid4()), PROJECT, ENVIRONMENT, version, "")
        deployment = await self.rollbacks.roll_back(request, ACTOR)
        assert deployment is not None
        return deployment.id

    async def assignment(self, node: str) -> Assignment:
        """What a node should have, looked up as it would be met if it had not ended."""
        a = tables.assignment
        async with self.catalogue.reading() as transaction:
            columns = (*a.c, literal("").label("request_id"), literal("").label("trace_context"))
            row = await transaction.one(select(*columns).where(a.c.node_id == node, a.c.project == PROJECT))
        assert row is not None
        return Assignment.of(row)

    async def report(self, node: str, status: ActivationStatus, message: str = "") -> bool:
        """The node reports on what it is assigned."""
        place = activations.place_of(await self.assignment(node))
        async with self.catalogue.transaction() as transaction:
            return await activations.report(transaction, place, expected=OPEN, status=status, message=message)

    async def due(self, node: str) -> list[Assignment]:
        async with self.catalogue.reading() as transaction:
            return list(await assignments.due_assignments(transaction, node))

    async def get(self, deployment_id: str) -> Deployment:
        async with self.catalogue.reading() as transaction:
            deployment = await deployments.get_deployment(transaction, deployment_id)
        assert deployment is not None
        return deployment

    async def live(self) -> Live:
        async with self.catalogue.reading() as transaction:
            live = await projects.get_live(transaction, PROJECT, ENVIRONMENT)
        assert live is not None
        return live

    async def activations(self, generation: int) -> dict[str, Activation]:
        async with self.catalogue.reading() as transaction:
            act = tables.activation
            found = await transaction.all(
                select(act).where(
                    act.c.project == PROJECT,
                    act.c.environment == ENVIRONMENT,
                    act.c.generation == generation,
                )
            )
        return {row.node_id: Activation.of(row) for row in found}

    async def events(self, deployment_id: str) -> list[Event]:
        async with self.catalogue.reading() as transaction:
            events = list(await events_after(transaction, deployment_id, 0, 1000))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        return events

    async def dump(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        async with self.catalogue.reading() as transaction:
            return {
                table.name: sorted(map(repr, await transaction.all(select(table))))
                for table in tables.metadata.sorted_tables
            }

    async def make_live(self, version: str, *on: str) -> str:
        """Queue a release and roll it out to the end; the deployment's id."""
        deployment_id = await self.queue(version)
        step = self.step()
        assert await step.take() is Progress.MOVED
        for node in on:
            assert await self.report(node, ActivationStatus.LIVE)
        assert await step.take() is Progress.MOVED
        assert await step.take() is Progress.NOTHING_LEFT
        return deployment_id


@asynccontextmanager
async def open_place(
    catalogue: Catalogue, *, versions: Iterable[str] = ("1.0.0", "2.0.0", "3.0.0"), nodes: Iterable[str] = ()
) -> AsyncIterator[Place]:
    """A place with releases and nodes, of which none is live."""
    wakeups = Wakeups(LocalCoordination())
    place = Place(catalogue, wakeups)
    for version in versions:
        await place.release(version)
    for name in nodes:
        await place.node(name)
    try:
        yield place
    finally:
        await wakeups.close()
