"""The composition root: builds a node from its settings and runs it, in one ``AsyncExitStack``.

What is opened first is closed last. The gRPC port opens when everything behind it answers for itself; at
the end it drains: no new uploads, running ones get ``drain_timeout_s``, then the rest is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from longshore.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    cluster_service_pb2,
    cluster_service_pb2_grpc,
    deployment_service_pb2,
    deployment_service_pb2_grpc,
)
from longshore_bundles import UnpackLimits
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import Misconfigured, StorageError
from longshore_storage.payloads import PayloadStore
from longshore_storage.ports import Member

from . import __version__
from .agent import BUILT_AT_ONCE, NodeAgent
from .collecting import CollectingTimer, PayloadDeletion, make_collector
from .deploying.downloads import Downloads
from .deploying.opening import open_uploads, payload_settings
from .deploying.uploads import Uploads
from .deploying.visibility import EverythingVisible, Visibility
from .disk import DataFolder, InstalledTrees
from .draining import Draining
from .fleet import Fleet
from .healing import CompactionTimer, TreeRepair, open_healers
from .health import Health
from .identity import Identity
from .metrics import MeasuredBlobs, Metrics, measure_statements, open_endpoint
from .progress import NodeWatching, ProgressHub
from .registration import Registration, boot
from .rollout.controller import RolloutController
from .rpc.catalog_service import CatalogServicer
from .rpc.cluster_service import ClusterServicer
from .rpc.deployment_service import DeploymentServicer
from .rpc.interceptor import CallInterceptor
from .rpc.messages import nodes_message, progress_message, watch_message
from .rpc.wire_limits import RECEIVE_LIMIT_BYTES
from .settings import Settings
from .stores import open_stores
from .wakeups import Kind, Wakeups

_log = structlog.get_logger(__name__)

_COUNT_EVERY_S = 15.0
_POLLS_A_LOOK_FOR_DAMAGE = 12
# For answers that are on their way. Who follows or downloads goes on at another node, or when this is back.
_LAST_ANSWERS_S = 1.0


@dataclass(slots=True)
class Node:
    """A running node: where it listens, and what a drain needs."""

    identity: Identity
    address: str
    server: grpc.aio.Server
    uploads: Uploads
    health: Health
    draining: Draining
    metrics_address: str = ""

    async def drain(self, timeout_s: float) -> None:
        """Take no more uploads, let running ones end for ``timeout_s``, then close the door.

        Till then everything else is answered, so that a new upload is told to go elsewhere and who follows
        a running one sees its end.
        """
        self.draining.stop()
        await self.health.drain()
        _log.info("node.draining", timeout_s=timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.uploads.idle()
        await self.server.stop(min(timeout_s, _LAST_ANSWERS_S))


@asynccontextmanager
async def running_node(settings: Settings, *, visibility: Visibility | None = None) -> AsyncIterator[Node]:
    """Run a node for as long as the block does. Raises ``Misconfigured`` and what the stores raise.

    ``visibility`` says whose payloads count for whom; without one everybody's do.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(DataFolder.open(settings.data_dir))
        stores = await open_stores(settings, stack, holder=folder.node_id)
        row = await boot(settings, stores.catalogue, folder)
        identity = Identity(row.id, row.name, row.environment, tuple(row.roles), row.boot_number)
        draining = Draining()
        draining.obey(drained=row.draining, others_drive=row.draining)
        metrics = Metrics(identity, __version__)
        if settings.metrics.listen:
            stores = replace(stores, blobs=MeasuredBlobs(stores.blobs, metrics))
            measure_statements(stores.catalogue, metrics.statement_seconds)
        storing = payload_settings(settings.uploads)
        actor = Actor(f"node:{settings.node.name}")
        healers = stack.enter_context(open_healers(stores.catalogue, stores.blobs, actor, storing))
        payloads = await stack.enter_async_context(
            PayloadStore(stores.catalogue, stores.blobs, settings=storing, suspect=healers.marker.suspect)
        )
        wakeups = Wakeups(stores.coordination)
        stack.push_async_callback(wakeups.close)
        stores.catalogue.listen(partial(wakeups.send, Kind.PROGRESS))
        structlog.contextvars.bind_contextvars(node=identity.name)

        limits = UnpackLimits(
            max_entries=settings.uploads.max_archive_entries,
            max_total_bytes=settings.uploads.max_unpacked_bytes,
            max_file_bytes=settings.uploads.max_unpacked_bytes,
        )
        uploads = stack.enter_context(
            open_uploads(
                settings.uploads,
                stores.catalogue,
                payloads,
                wakeups,
                visibility or EverythingVisible(),
                metrics,
                draining,
                scratch=folder.staging,
                limits=limits,
                receives="receive" in identity.roles,
            )
        )
        hub = ProgressHub(
            stores.catalogue,
            wakeups,
            progress_message,
            watch_message,
            most_followers=settings.progress.most_followers,
        )
        watching_nodes = NodeWatching(stores.catalogue, stores.coordination, wakeups, nodes_message)
        places = payloads.places
        metrics.gauge("longshore_uploads_running", "Uploads under way here.", lambda: uploads.running)
        metrics.gauge("longshore_uploads_waiting", "Uploads that wait for a place.", lambda: places.waiting)
        metrics.gauge(
            "longshore_followers",
            "Streams of progress, and of deployments and nodes as they change.",
            lambda: hub.followers,
        )
        health = Health(stores.catalogue, stores.blobs, draining, receives="receive" in identity.roles)
        calls = CallInterceptor(metrics)
        server = grpc.aio.server(interceptors=[calls], options=_SERVER_OPTIONS)
        deployment_service_pb2_grpc.add_DeploymentServiceServicer_to_server(
            DeploymentServicer(
                stores.catalogue,
                wakeups,
                uploads,
                Downloads(stores.catalogue, payloads),
                PayloadDeletion(stores.catalogue, rollback_targets=settings.retention.rollback_targets),
                hub,
                idle_timeout_s=settings.uploads.idle_timeout_s,
            ),
            server,
        )
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(
            CatalogServicer(stores.catalogue, wakeups), server
        )
        cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server(
            ClusterServicer(
                stores.catalogue,
                stores.coordination,
                Fleet(stores.catalogue, stores.coordination, wakeups),
                hub,
                watching_nodes,
                identity,
                settings.uploads,
                payloads.settings,
            ),
            server,
        )
        health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
        reflection.enable_server_reflection(_SERVICES, server)
        metrics.gauge("longshore_calls_running", "Calls that are being handled.", lambda: calls.running)
        address = _listen(server, settings.listen)
        told_at = ""
        if settings.metrics.listen:
            told_at = stack.enter_context(open_endpoint(metrics, settings.metrics.listen))
            _log.info("metrics.told", address=told_at)

        await health.look()
        node = Node(identity, address, server, uploads, health, draining, told_at)
        member = Member(
            identity.node_id,
            identity.name,
            identity.boot_number,
            {"address": address, "environment": identity.environment, "version": __version__},
        )
        await stack.enter_async_context(stores.coordination.membership(member))
        tasks = [health.run(), hub.run(), watching_nodes.run()]
        controller: RolloutController | None = None
        if "control" in identity.roles:
            controller = RolloutController(
                stores.catalogue,
                stores.coordination,
                wakeups,
                node_id=identity.node_id,
                node_name=identity.name,
                poll_s=settings.poll_s,
                progress_deadline_s=settings.rollout.progress_deadline_s,
                on_end=metrics.deployment_ended,
                hands_over=lambda: draining.hands_rollouts_over,
            )
            draining.on_change(controller.look)
            metrics.gauge(
                "longshore_rollouts_driven", "Rollouts that this node drives.", lambda: controller.held
            )
            metrics.gauge(
                "longshore_locks_waited_for",
                "Locks of rollouts that this node waits for.",
                lambda: controller.waited_for,
            )
            tasks.append(controller.run())
            if settings.metrics.listen:
                tasks.append(_tell_unfinished(stores.catalogue, metrics))
        if settings.collecting.every_s:
            collector = make_collector(
                settings,
                stores.catalogue,
                stores.blobs,
                actor,
                given_up=lambda deployment_id: wakeups.send(Kind.PROGRESS, deployment_id),
            )
            tasks.append(
                CollectingTimer(
                    collector if "control" in identity.roles else None,
                    stores.coordination,
                    folder,
                    every_s=settings.collecting.every_s,
                ).run()
            )
        if settings.compacting.every_s and "control" in identity.roles:
            every_s = settings.compacting.every_s
            tasks.append(CompactionTimer(healers.compaction, stores.coordination, every_s=every_s).run())
        if "install" in identity.roles:
            building = ThreadPoolExecutor(BUILT_AT_ONCE, thread_name_prefix="building")
            stack.enter_context(building)
            tasks.append(
                TreeRepair(
                    stores.catalogue,
                    stores.coordination,
                    healers.repair,
                    InstalledTrees(folder),
                    every_s=settings.poll_s * _POLLS_A_LOOK_FOR_DAMAGE,
                ).run()
            )
            tasks.append(
                NodeAgent(
                    stores.catalogue,
                    payloads,
                    wakeups,
                    folder,
                    identity,
                    building,
                    limits=limits,
                    kept_releases=settings.node.kept_releases,
                    hooks_of=settings.node.hooks_of,
                    poll_s=settings.poll_s,
                ).run()
            )
        registration = Registration(
            stores.catalogue,
            stores.coordination,
            wakeups,
            folder,
            identity,
            draining,
            address=address,
            uploads=lambda: uploads.running,
            rollouts=lambda: controller.held if controller is not None else 0,
        )
        tasks.append(registration.run())
        await stack.enter_async_context(_background(tasks))
        await server.start()
        _log.info("node.started", address=address, node_id=identity.node_id, boot=identity.boot_number)
        try:
            yield node
        finally:
            await server.stop(0)
            # Handlers that were cut off still put things right in the stores, which close next.
            await calls.ended()
            _log.info("node.stopped")


async def _tell_unfinished(catalogue: Catalogue, metrics: Metrics) -> None:
    """Look now and then how many deployments have not ended."""
    while True:
        try:
            async with catalogue.reading() as transaction:
                metrics.tell_unfinished(await deployments.unfinished_counts(transaction))
        except StorageError as error:
            _log.warning("metrics.stale", error=str(error))
        await asyncio.sleep(_COUNT_EVERY_S)


@asynccontextmanager
async def _background(work: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run ``work`` beside the block; when one of them fails, so does the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)


def _listen(server: grpc.aio.Server, listen: str) -> str:
    host = listen.rpartition(":")[0]
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError:
        port = 0
    if port == 0:
        raise Misconfigured(
            f"cannot listen on {listen}: another program uses the port, or the address is not "
            "this machine's; choose another with --listen (port 0 picks a free one)"
        )
    return f"{host}:{port}"


_SERVICES = (
    deployment_service_pb2.DESCRIPTOR.services_by_name["DeploymentService"].full_name,
    catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name,
    cluster_service_pb2.DESCRIPTOR.services_by_name["ClusterService"].full_name,
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
    reflection.SERVICE_NAME,
)

_MOST_CALLS_WAITING = 50_000

_SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", RECEIVE_LIMIT_BYTES),
    # Two nodes must not answer on one port by turns.
    ("grpc.so_reuseport", 0),
    # Clients may ask whether the connection lives every ten seconds, also while they only follow.
    ("grpc.http2.min_ping_interval_without_data_ms", 9_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # What a client may have under way: it is memory here, and is sent again when the connection is cut.
    ("grpc.http2.lookahead_bytes", 4 << 20),
    ("grpc.http2.bdp_probe", 0),
    # Calls that came together and wait to be taken, as when all followers come back at once: gRPC would cut
    # some of them off from a thousand on, all from three thousand on.
    ("grpc.server.max_pending_requests", _MOST_CALLS_WAITING),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_CALLS_WAITING),
    # So that followers spread over nodes that came later; running calls get an hour to end.
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 3_600_000),
)
