"""Every metric of a node, in one place: names and labels as Prometheus has them, units in the names.

Counters and histograms are of what this node did; gauges of how it stands now. Nothing here has a label whose
values callers choose: projects, callers and ids are in logs and in the audit trail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
from longshore_storage.catalogue.overview import Overview
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
        self._denials = Counter(
            "longshore_denials",
            "Calls that were refused for want of a permission; `authentication` is that of being let in.",
            ["permission"],
            registry=registry,
        )
        self._authentication_failures = Counter(
            "longshore_authentication_failures",
            "Callers who did not show who they are: answered late (`slowed`), or at once as too many wait "
            "(`refused`).",
            ["outcome"],
            registry=registry,
        )
        self._activations = Counter(
            "longshore_activations",
            "What this node made live (`live`), took off (`removed`) or could not (`failed`).",
            ["outcome"],
            registry=registry,
        )
        self._ahead = Counter(
            "longshore_node_ahead",
            "How often this node had obeyed more than the database knows, as after a restored backup.",
            registry=registry,
        )
        self._dependency_up = Gauge(
            "longshore_dependency_up",
            "Whether a service that the node depends on answered when it was last asked.",
            ["dependency"],
            registry=registry,
        )
        self._fleet = Gauge(
            "longshore_nodes",
            "Registered nodes of all environments: `alive` or `away`, and of all `cordoned` and `draining`; "
            "told by nodes with the role control.",
            ["state"],
            registry=registry,
        )
        self._oldest = Gauge(
            "longshore_deployments_oldest_seconds",
            "For how long the oldest of the unfinished deployments has been there, by status.",
            ["status"],
            registry=registry,
        )
        self._audit_batches = Counter(
            "longshore_audit_batches_sealed",
            "Batches of the audit trail that this node sealed.",
            registry=registry,
        )
        self._unsealed = Gauge(
            "longshore_audit_unsealed_entries",
            "Entries of the audit trail that no seal proves yet; told by nodes with the role control.",
            registry=registry,
        )
        self._damaged = Gauge(
            "longshore_payloads_damaged",
            "Payloads whose stored bytes are known to be damaged; told by nodes with the role control.",
            registry=registry,
        )
        self._chore_ended = Gauge(
            "longshore_chore_ended_timestamp_seconds",
            "When a chore of the whole cluster ended last; told by nodes with the role control.",
            ["chore"],
            registry=registry,
        )
        self._notifications = Counter(
            "longshore_notifications",
            "Tries to notify a receiver that it has taken (`delivered`) or not (`failed`), and notifications "
            "that were never taken (`given_up`).",
            ["receiver", "outcome"],
            registry=registry,
        )
        self._notifications_waiting = Gauge(
            "longshore_notifications_waiting",
            "Notifications that are not delivered yet; told by the node that delivers them.",
            ["receiver"],
            registry=registry,
        )
        self._collected = Counter(
            "longshore_collected",
            "What was left behind or is needed no more, and was found and removed by this node, by kind.",
            ["what"],
            registry=registry,
        )
        self._spans = Counter(
            "longshore_spans",
            "Spans of traces that the collector took (`sent`) or refused (`refused`), and those that waited "
            "for it for too long (`dropped`).",
            ["outcome"],
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

    def spans_ended(self, outcome: str, count: int) -> None:
        """Count spans; from any thread."""
        self._spans.labels(outcome).inc(count)

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

    def collected(self, counts: Mapping[str, int]) -> None:
        """Count what collecting found and removed, by kind; bytes are not counted."""
        for what, count in counts.items():
            self._collected.labels(what).inc(count)

    def denied(self, permission: str) -> None:
        """Count a denial; ``permission`` is one of the table, or ``authentication``."""
        self._denials.labels(permission).inc()

    def authentication_failed(self, outcome: str) -> None:
        """Count a caller who was not let in."""
        self._authentication_failures.labels(outcome).inc()

    def activation_ended(self, outcome: str) -> None:
        """Count an activation that ended."""
        self._activations.labels(outcome).inc()

    def node_is_ahead(self) -> None:
        """Count that this node had obeyed more than the database knows."""
        self._ahead.inc()

    def dependency_answered(self, dependency: str, answered: bool) -> None:
        """Note whether a service answered."""
        self._dependency_up.labels(dependency).set(answered)

    def notified(self, receiver: str, outcome: str) -> None:
        """Count a try to notify a receiver, one of those that the settings name."""
        self._notifications.labels(receiver, outcome).inc()

    def tell_notifications_waiting(self, counts: Mapping[str, int]) -> None:
        """Set how many wait for each receiver; those that are not named are another node's."""
        self._notifications_waiting.clear()
        for receiver, count in counts.items():
            self._notifications_waiting.labels(receiver).set(count)

    def audit_batch_sealed(self) -> None:
        """Count a batch of the audit trail that this node sealed."""
        self._audit_batches.inc()

    def tell_overview(self, overview: Overview, alive: Collection[str] | None) -> None:
        """Set how everything stands; ``alive`` are the ids of nodes that etcd knows, if it answers."""
        self._unfinished.clear()
        self._oldest.clear()
        for status, unfinished in overview.unfinished.items():
            self._unfinished.labels(status.lower()).set(unfinished.count)
            self._oldest.labels(status.lower()).set(unfinished.oldest_s)
        self._damaged.set(overview.damaged_payloads)
        self._unsealed.set(overview.unsealed_entries)
        for chore, ended in overview.chores.items():
            self._chore_ended.labels(chore).set(ended.timestamp())
        self._fleet.labels("cordoned").set(sum(node.cordon_time is not None for node in overview.nodes))
        self._fleet.labels("draining").set(sum(node.draining for node in overview.nodes))
        if alive is not None:
            here = sum(node.id in alive for node in overview.nodes)
            self._fleet.labels("alive").set(here)
            self._fleet.labels("away").set(len(overview.nodes) - here)
