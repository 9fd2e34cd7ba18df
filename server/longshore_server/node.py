"""The composition root: builds a node from its settings and runs it, in one ``AsyncExitStack``.

What is opened first is closed last. The gRPC port opens when everything behind it answers for itself; at
the end it drains: no new uploads, running ones get ``drain_timeout_s``, then the rest is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import grpc
import structlog

from longshore_bundles import UnpackLimits
from longshore_storage.catalogue import revisions
from longshore_storage.catalogue.rows import Actor
from longshore_storage.payloads import PayloadStore
from longshore_storage.ports import Member

from . import __version__
from .access import Doors, PayloadRights
from .before_start import check_before_start
from .certificates import expires_at_s
from .chores import chores
from .collecting import PayloadDeletion
from .deploying.downloads import Downloads
from .deploying.opening import open_uploads, payload_settings
from .deploying.second_person import SecondPerson
from .deploying.uploads import Uploads
from .deploying.visibility import Visibility
from .disk import DataFolder
from .draining import Draining
from .fleet import Fleet
from .healing import open_healers
from .health import Health
from .identity import Identity
from .installing import installing
from .metrics import MeasuredBlobs, Metrics, measure_statements, open_endpoint, tell_overview
from .notifying import Notifier
from .progress import NodeWatching, ProgressHub
from .pushing import PushDeployments, open_push_endpoint
from .registration import SCHEMA, Registration, boot
from .rollout.controller import RolloutController
from .rpc.admission import CheckedAdmission, EverybodyAdmitted
from .rpc.catalog_service import CatalogServicer
from .rpc.cluster_service import ClusterServicer
from .rpc.deployment_service import DeploymentServicer
from .rpc.interceptor import CallInterceptor
from .rpc.messages import nodes_message, progress_message, watch_message
from .rpc.request_rates import rated
from .serving import listen, make_server
from .settings import Settings
from .stores import open_stores
from .tracing import TracedBlobs, open_tracing
from .verifying import Verifications
from .wakeups import Kind, Wakeups

_log = structlog.get_logger(__name__)

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
    push_address: str = ""

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

    ``visibility`` says whose payloads count for whom; without one their callers' rights do.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(DataFolder.open(settings.data_dir))
        stores = await open_stores(settings, stack, holder=folder.node_id)
        await asyncio.to_thread(check_before_start, settings)
        row = await boot(settings, stores.catalogue, folder)
        identity = Identity(row.id, row.name, row.environment, tuple(row.roles), row.boot_number)
        structlog.contextvars.bind_contextvars(node=identity.name)
        draining = Draining()
        draining.obey(drained=row.draining, others_drive=row.draining)
        metrics = Metrics(identity, __version__)
        if settings.metrics.listen:
            stores = replace(stores, blobs=MeasuredBlobs(stores.blobs, metrics))
            measure_statements(stores.catalogue, metrics.statement_seconds)
        if settings.tracing.endpoint:
            await stack.enter_async_context(
                open_tracing(settings.tracing, identity, __version__, metrics.spans_ended)
            )
            stores = replace(stores, blobs=TracedBlobs(stores.blobs))
        storing = payload_settings(settings.uploads)
        actor = Actor(f"node:{settings.node.name}")
        healers = stack.enter_context(open_healers(stores.catalogue, stores.blobs, actor, storing))
        payloads = await stack.enter_async_context(
            PayloadStore(stores.catalogue, stores.blobs, settings=storing, suspect=healers.marker.suspect)
        )
        wakeups = Wakeups(stores.coordination)
        stack.push_async_callback(wakeups.close)
        stores.catalogue.listen(partial(wakeups.send, Kind.PROGRESS))

        limits = UnpackLimits(
            max_entries=settings.uploads.max_archive_entries,
            max_total_bytes=settings.uploads.max_unpacked_bytes,
            max_file_bytes=settings.uploads.max_unpacked_bytes,
        )
        uploads = stack.enter_context(
            open_uploads(
                settings.uploads,
                settings.quotas,
                stores.catalogue,
                payloads,
                wakeups,
                visibility or PayloadRights(),
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
            lambda: hub.followers.count,
        )
        metrics.gauge(
            "longshore_data_free_bytes", "Free bytes where the data folder is.", lambda: folder.free_bytes()
        )
        if (cert_file := settings.tls.cert_file) is not None:
            metrics.gauge(
                "longshore_certificate_expiry_timestamp_seconds",
                "When the certificate that new connections are shown expires.",
                lambda: expires_at_s(cert_file),
            )
        health = Health(
            stores.catalogue,
            stores.blobs,
            draining,
            receives="receive" in identity.roles,
            on_answer=metrics.dependency_answered,
        )
        doors: Doors | None = None
        if settings.access.enabled:
            doors = Doors(
                settings.access,
                stores.catalogue,
                on_denied=metrics.denied,
                on_failure=metrics.authentication_failed,
            )
        calls = CallInterceptor(
            metrics,
            rated(
                CheckedAdmission(doors, stores.catalogue) if doors is not None else EverybodyAdmitted(),
                settings.quotas,
            ),
            doors.streams if doors is not None else None,
        )
        server = make_server(
            calls,
            DeploymentServicer(
                stores.catalogue,
                wakeups,
                uploads,
                Downloads(stores.catalogue, payloads),
                PayloadDeletion(stores.catalogue, rollback_targets=settings.retention.rollback_targets),
                hub,
                SecondPerson(stores.catalogue, metrics.denied),
                idle_timeout_s=settings.uploads.idle_timeout_s,
            ),
            CatalogServicer(stores.catalogue, wakeups, uploads.examiner),
            ClusterServicer(
                stores.catalogue,
                stores.coordination,
                Fleet(stores.catalogue, stores.coordination, wakeups),
                Verifications(stores.catalogue, wakeups),
                hub,
                watching_nodes,
                identity,
                settings.uploads,
                payloads.settings,
            ),
            health.servicer,
            traced=bool(settings.tracing.endpoint),
        )
        metrics.gauge("longshore_calls_running", "Calls that are being handled.", lambda: calls.running)
        notifier = Notifier(
            stores.catalogue,
            stores.coordination,
            wakeups,
            settings.notifications if "control" in identity.roles else (),
            actor,
            metrics,
            poll_s=settings.poll_s,
        )
        address = listen(server, settings.listen, settings.tls)
        pushed_at = ""
        if settings.push.listen:
            pushes = PushDeployments(
                settings.push, stores.catalogue, address, tls=settings.tls.cert_file is not None
            )
            stack.push_async_callback(pushes.close)
            pushed_at = stack.enter_context(open_push_endpoint(settings.push, settings.tls, pushes))
            _log.info("push.listening", address=pushed_at)
        told_at = ""
        if settings.metrics.listen:
            told_at = stack.enter_context(open_endpoint(metrics, settings.metrics.listen))
            _log.info("metrics.told", address=told_at)

        await health.look()
        node = Node(identity, address, server, uploads, health, draining, told_at, pushed_at)
        member = Member(
            identity.node_id,
            identity.name,
            identity.boot_number,
            {
                "address": address,
                "environment": identity.environment,
                "version": __version__,
                SCHEMA: revisions.newest().name,
            },
        )
        await stack.enter_async_context(stores.coordination.membership(member))
        tasks = [health.run(), hub.run(), watching_nodes.run()]
        if doors is not None:
            tasks.append(doors.run())
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
            tasks.append(notifier.run())
        if settings.metrics.listen:
            of_all = controller is not None
            tasks.append(tell_overview(stores.catalogue, stores.coordination, metrics, of_all=of_all))
        tasks += chores(
            settings,
            stores,
            healers,
            folder,
            wakeups,
            metrics,
            actor,
            controls="control" in identity.roles,
        )
        if "install" in identity.roles:
            tasks += installing(
                stack, settings, stores, payloads, healers, folder, wakeups, identity, metrics, limits
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
