"""What was released and deployed."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    false,
    text,
    true,
)

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import RowId, metadata

release = Table(
    "release",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("project", ForeignKey("project.name"), nullable=False),
    Column("version", String, nullable=False),
    Column("version_key", BytewiseText, nullable=False),
    Column("version_order", BytewiseText, nullable=False),
    Column("payload_sha256", BytewiseText, nullable=False),
    # Empty once the payload was reclaimed; the release itself stays in history.
    Column("stored_payload", ForeignKey("payload.sha256", ondelete="RESTRICT"), index=True),
    Column("content_sha256", BytewiseText, nullable=False),
    Column("payload_size_bytes", BigInteger, nullable=False),
    Column("payload_format", String, nullable=False),
    Column("file_name", String, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("unpacked_size_bytes", BigInteger, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("deployment_id", String, nullable=False),
    # Why its payload is kept whatever retention says; empty when it is not.
    Column("pin_reason", String, nullable=False, server_default=""),
    Column("pinned_by", String, nullable=False, server_default=""),
    # SKILL, PACK or COMPONENT.
    Column("kind", String, nullable=False, server_default="COMPONENT"),
    # Where its payload was first taken from, as the client said, and who or what deployed it.
    Column("source", JSON),
    Column("install_method", String, nullable=False, server_default=""),
    # Whether it was recorded although errors were found in it.
    Column("validation_skipped", Boolean, nullable=False, server_default=false()),
    Index("uq_release_project_version_key", "project", "version_key", unique=True),
    Index("ix_release_project_version_order", "project", "version_order", "id"),
)

_UNFINISHED_ROLLOUT = text("status IN ('ROLLING_OUT', 'PAUSED', 'REVERTING')")

deployment = Table(
    "deployment",
    metadata,
    # The order in which deployments were accepted: what lists are sorted by.
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column("id", BytewiseText, nullable=False, unique=True),
    Column("project", ForeignKey("project.name"), nullable=False),
    Column("environment", ForeignKey("environment.name"), nullable=False),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("status_reason", String, nullable=False, server_default=""),
    Column("status_message", String, nullable=False, server_default=""),
    Column("request_digest", String, nullable=False),
    Column("release_id", ForeignKey("release.id")),
    Column("version", String, nullable=False, server_default=""),
    Column("payload_format", String, nullable=False, server_default=""),
    Column("file_name", String, nullable=False, server_default=""),
    Column("payload_sha256", BytewiseText, nullable=False, server_default=""),
    Column("content_sha256", BytewiseText, nullable=False, server_default=""),
    Column("payload_size_bytes", BigInteger),
    Column("durable_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("received_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("reused_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("stored_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("deployed_by", String, nullable=False),
    Column("peer", String, nullable=False),
    Column("request_id", String, nullable=False),
    # That of the call that made it, as W3C's `traceparent`: spans of other nodes join it. Empty: not traced.
    Column("trace_context", String, nullable=False, server_default=""),
    Column("create_time", UtcTime, nullable=False),
    Column("record_time", UtcTime),
    Column("start_time", UtcTime),
    Column("end_time", UtcTime),
    Column("queue_order", BigInteger),
    Column("generation", BigInteger, nullable=False, server_default=text("0")),
    Column("rollback_of", String, nullable=False, server_default=""),
    # For a rollback: the deployment whose release it brings back, so that the next one goes further back.
    Column("restored_deployment_id", String, nullable=False, server_default=""),
    Column("rolled_back_by", String, nullable=False, server_default=""),
    Column("previous_deployment_id", String, nullable=False, server_default=""),
    Column("previous_version", String, nullable=False, server_default=""),
    # A deployment that wants something else to be live, when it is recorded or begins, fails; empty: nothing.
    Column("expected_live_deployment_id", String),
    Column("queue_policy", String, nullable=False, server_default="WAIT"),
    # The gate at which it waits for a person, or that it has passed.
    Column("gate_id", String, nullable=False, server_default=""),
    Column("retry_of", String, nullable=False, server_default=""),
    Column("labels", JSON, nullable=False, default=dict),
    Column("owner_epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("owner_node_id", String, nullable=False, server_default=""),
    # A request to the controller: end this one in favour of that deployment.
    Column("supersede_requested_by", String, nullable=False, server_default=""),
    # Another one: take it back. Who asked, and why.
    Column("cancelled_by", String, nullable=False, server_default=""),
    Column("cancel_reason", String, nullable=False, server_default=""),
    # What a deployment that is taken back becomes.
    Column("intended_outcome", String, nullable=False, server_default=""),
    # The first generation that takes touched nodes back; 0 before that.
    Column("revert_generation", BigInteger, nullable=False, server_default=text("0")),
    # The last one that was handed out for it: a higher one of the place was not.
    Column("last_generation", BigInteger, nullable=False, server_default=text("0")),
    # How its rollout goes over the nodes, as ``strategy`` writes it; empty: as the place says when it begins.
    Column("strategy", JSON),
    Column("failure_policy", String, nullable=False, server_default=""),
    # How many nodes it covered when it began: what percents are of, whoever is removed meanwhile.
    Column("covered_nodes", Integer, nullable=False, server_default=text("0")),
    Column("passed_canary_steps", Integer, nullable=False, server_default=text("0")),
    # The gate of the canary step at which it stands, and when that passes by itself.
    Column("waiting_gate_id", String, nullable=False, server_default=""),
    Column("canary_due_time", UtcTime),
    # Requests to the controller as well: pass that gate, stay as it is. Who asked.
    Column("promoted_gate_id", String, nullable=False, server_default=""),
    Column("promoted_by", String, nullable=False, server_default=""),
    Column("paused_by", String, nullable=False, server_default=""),
    Column("pause_reason", String, nullable=False, server_default=""),
    Column("error", JSON),
    Column("last_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("compacted_through", BigInteger, nullable=False, server_default=text("0")),
    # False once all of them are compacted. It moves once, and no event moves it: rows are in an index by it.
    Column("all_events", Boolean, nullable=False, server_default=true()),
    # How many findings its content had; the first of them are in their own table.
    Column("total_findings", Integer, nullable=False, server_default=text("0")),
    # What is released: SKILL, PACK or COMPONENT; empty until it is recorded.
    Column("bundle_kind", String, nullable=False, server_default=""),
    Column("skip_validation", Boolean, nullable=False, server_default=false()),
    Column("skip_dependencies", Boolean, nullable=False, server_default=false()),
    Column("skip_tests", Boolean, nullable=False, server_default=false()),
    CheckConstraint(
        "status IN ('PENDING', 'RECEIVING', 'VALIDATING', 'STAGED', 'QUEUED', 'ROLLING_OUT', 'PAUSED', "
        "'REVERTING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED', 'SUPERSEDED')",
        name="status",
    ),
    # One rollout at a time: what no lock that may be lost can promise.
    Index(
        "uq_deployment_rollout",
        "project",
        "environment",
        unique=True,
        sqlite_where=_UNFINISHED_ROLLOUT,
        postgresql_where=_UNFINISHED_ROLLOUT,
    ),
    Index("ix_deployment_project_number", "project", "number"),
    Index("ix_deployment_project_environment_number", "project", "environment", "number"),
    Index("ix_deployment_queue", "project", "environment", "status", "queue_order"),
    Index("ix_deployment_environment_number", "environment", "number"),
    Index("ix_deployment_status_number", "status", "number"),
    Index("ix_deployment_deployed_by_number", "deployed_by", "number"),
    Index("ix_deployment_version_number", "version", "number"),
    Index("ix_deployment_release_environment_number", "release_id", "environment", "number"),
    Index("ix_deployment_create_time", "create_time"),
    Index(
        "ix_deployment_end_time",
        "end_time",
        sqlite_where=text("end_time IS NOT NULL AND all_events = 1"),
        postgresql_where=text("end_time IS NOT NULL AND all_events"),
    ),
)

# A deployment's labels once more, to find it by.
deployment_label = Table(
    "deployment_label",
    metadata,
    Column("key", BytewiseText, primary_key=True),
    Column("value", BytewiseText, primary_key=True),
    Column("number", ForeignKey("deployment.number"), primary_key=True),
)
