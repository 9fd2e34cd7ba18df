"""Every metric of a node, in one place: names and labels as Prometheus has them, units in the names.

Counters and histograms are of what this node did; gauges of how it stands now. Nothing here has a label whose
values callers choose: projects, callers and ids are in logs and in the audit trail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from longshore_server.identity import Identity
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.payloads import StoredPayload

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """One node's. Everything may be called from its event loop; gauges are read when they are asked for."""

    def __init__(self, identity: Identity, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("longshore_node", "Which node this is.", registry=registry).info(
            {
                "version": version,
                "name": identity.name,
                "environment": identity.environment,
                "roles": ",".join(identity.roles),
            }
        )
        self._calls = Counter("longshore_calls", "Calls that ended.", ["method", "code"], registry=registry)
        self._call_seconds = Histogram(
            "longshore_call_seconds",
            "How long calls with a single answer took, uploads included.",
            ["method"],
            buckets=_SLOW,
            registry=registry,
        )
        self._errors = Counter(
            "longshore_errors",
            "Calls that ended with an error, by its reason.",
            ["reason"],
            registry=registry,
        )
        self._uploads = Counter("longshore_uploads", "Uploads that were recorded.", registry=registry)
        self._upload_bytes = Counter(
            "longshore_upload_bytes",
            "Bytes of uploads that were recorded: `payload` is their size; of it `received` came over the "
            "wire as it was sent, `reused` was stored already; `stored` was newly written to the store.",
            ["what"],
            registry=registry,
        )
        self._ended = Counter(
            "longshore_deployments_ended",
            "Rollouts that this node drove to their end.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._phase_seconds = Histogram(
            "longshore_deployment_phase_seconds",
            "How long the phases of those took: `upload` until recorded, `queue` until begun, `rollout` to "
            "the end.",
            ["phase"],
            buckets=_SLOW,
            registry=registry,
        )
        self.statement_seconds = Histogram(
            "longshore_sql_statement_seconds",
            "How long SQL statements took.",
            buckets=_FAST,
            registry=registry,
        )
        self.blob_seconds = Histogram(
            "longshore_blob_store_seconds",
            "How long requests to the blob store took, tries again included.",
            ["operation"],
            buckets=_FAST,
            registry=registry,
        )
        self.blob_bytes = Counter(
            "longshore_blob_store_bytes",
            "Bytes put into the blob store and got from it.",
            ["operation"],
            registry=registry,
        )
        self.blob_errors = Counter(
            "longshore_blob_store_errors",
            "Requests to the blob store that failed, by the kind of error.",
            ["operation", "error"],
            registry=registry,
        )
        self._unfinished = Gauge(
            "longshore_deployments_unfinished",
            "Deployments that have not ended, of all nodes, by status; told by nodes with the role control.",
            ["status"],
            registry=registry,
        )

    def gauge(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read by ``read``, in another thread, whenever it is asked for."""
        Gauge(name, what, registry=self.registry).set_function(read)

    def call_ended(self, method: str, code: str, reason: str, seconds: float | None) -> None:
        """Count a call; ``reason`` is empty for a success, ``seconds`` None for a stream."""
        self._calls.labels(method, code).inc()
        if reason:
            self._errors.labels(reason).inc()
        if seconds is not None:
            self._call_seconds.labels(method).observe(seconds)

    def upload_recorded(self, stored: StoredPayload) -> None:
        """Count an upload that is stored whole and recorded."""
        self._uploads.inc()
        for what, size_bytes in (
            ("payload", stored.size_bytes),
            ("received", stored.received_bytes),
            ("reused", stored.reused_bytes),
            ("stored", stored.stored_bytes),
        ):
            self._upload_bytes.labels(what).inc(size_bytes)

    def deployment_ended(self, deployment: Deployment) -> None:
        """Count a rollout that ended, and how long its phases took."""
        self._ended.labels(deployment.kind.lower(), deployment.status.lower()).inc()
        times = (deployment.create_time, deployment.record_time, deployment.start_time, deployment.end_time)
        for phase, begun, ended in zip(("upload", "queue", "rollout"), times, times[1:], strict=False):
            if begun is not None and ended is not None:
                self._phase_seconds.labels(phase).observe((ended - begun).total_seconds())

    def tell_unfinished(self, counts: dict[str, int]) -> None:
        """Set how many deployments stand in each status; those that are not named, none."""
        self._unfinished.clear()
        for status, count in counts.items():
            self._unfinished.labels(status.lower()).set(count)
