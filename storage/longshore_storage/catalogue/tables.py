"""The schema: every table of the catalogue, with the constraints that hold whatever the code does.

Both databases get the same tables. Statuses are text, so that a person reads them with any SQL client.
``docs/architecture.md`` tells how the tables hang together; changes go through ``migrations/``.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    false,
    text,
    true,
)

from .columns import BytewiseText, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# SQLite counts up by itself only in a column that is INTEGER to the letter.
_RowId = BigInteger().with_variant(Integer, "sqlite")

project = Table(
    "project",
    metadata,
    Column("name", BytewiseText, primary_key=True),
    Column("display_name", String, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    # Only uploads that were to be examined and not recorded ever named it: nobody sees it.
    Column("only_validated", Boolean, nullable=False, server_default=false()),
)

environment = Table(
    "environment",
    metadata,
    Column("name", BytewiseText, primary_key=True),
    Column("create_time", UtcTime, nullable=False),
)

# --- what is stored -----------------------------------------------------------------------------

pack_file = Table(
    "pack_file",
    metadata,
    Column("key", BytewiseText, primary_key=True),
    Column("state", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("create_time", UtcTime, nullable=False),
    # DAMAGED: not all of its bytes are as they were put. What is sound in it may still be read, but nothing
    # new counts on it, and compaction empties it.
    CheckConstraint("state IN ('WRITING', 'STORED', 'DAMAGED')", name="state"),
)

# Only an index for deduplication: the truth about a payload's chunks is its manifest.
chunk = Table(
    "chunk",
    metadata,
    Column("project", ForeignKey("project.name"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("pack_key", ForeignKey("pack_file.key", ondelete="CASCADE"), nullable=False, index=True),
    Column("offset", BigInteger, nullable=False),
    Column("stored_length", Integer, nullable=False),
    Column("raw_length", Integer, nullable=False),
    Column("codec", Integer, nullable=False),
)

payload = Table(
    "payload",
    metadata,
    Column("sha256", BytewiseText, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("chunk_count", BigInteger, nullable=False),
    Column("manifest_key", BytewiseText, nullable=False, unique=True),
    Column("create_time", UtcTime, nullable=False),
    # What is wrong with its stored bytes, in words; empty while they are sound.
    Column("damage", String, nullable=False, server_default=""),
    CheckConstraint("size_bytes > 0", name="size"),
    Index(
        "ix_payload_damaged",
        "sha256",
        sqlite_where=text("damage <> ''"),
        postgresql_where=text("damage <> ''"),
    ),
)

# Exactly the pack files that a payload's manifest names; RESTRICT is what protects them.
payload_pack = Table(
    "payload_pack",
    metadata,
    Column("payload_sha256", ForeignKey("payload.sha256", ondelete="CASCADE"), primary_key=True),
    Column("pack_key", ForeignKey("pack_file.key", ondelete="RESTRICT"), primary_key=True, index=True),
)

# A manifest that is about to be put; the transaction that names it elsewhere takes the row away.
manifest_draft = Table(
    "manifest_draft",
    metadata,
    Column("key", BytewiseText, primary_key=True),
    Column("create_time", UtcTime, nullable=False),
)

# Keys whose objects are to be removed, after a grace; a key never comes back from here.
condemned = Table(
    "condemned",
    metadata,
    Column("key", BytewiseText, primary_key=True),
    # What is known of it, for people: nothing of an object whose put nobody heard the end of.
    Column("size_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("condemn_time", UtcTime, nullable=False),
)

# Objects that were found without a row: condemned later, unless a rebuild names them before.
orphan = Table(
    "orphan",
    metadata,
    Column("key", BytewiseText, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("find_time", UtcTime, nullable=False),
)

# Which catalogue this is, among all that may share a blob store: a UUID under the name `catalogue`.
identity = Table(
    "identity",
    metadata,
    Column("name", BytewiseText, primary_key=True),
    Column("id", String, nullable=False),
)

# What is done again and again: where it stands, and when it was last done to its end.
chore = Table(
    "chore",
    metadata,
    Column("name", BytewiseText, primary_key=True),
    Column("place", String, nullable=False, server_default=""),
    Column("end_time", UtcTime),
)

# --- what was released and deployed -------------------------------------------------------------

release = Table(
    "release",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
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
    Index("uq_release_project_version_key", "project", "version_key", unique=True),
    Index("ix_release_project_version_order", "project", "version_order", "id"),
)

_UNFINISHED_ROLLOUT = text("status IN ('ROLLING_OUT', 'PAUSED', 'REVERTING')")

deployment = Table(
    "deployment",
    metadata,
    # The order in which deployments were accepted: what lists are sorted by.
    Column("number", _RowId, primary_key=True, autoincrement=True),
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

# What a project has in an environment: the generation last handed out, the queue's last number, and the
# live row (never deleted; without a release after an undeploy).
project_environment = Table(
    "project_environment",
    metadata,
    Column("project", ForeignKey("project.name"), primary_key=True),
    Column("environment", ForeignKey("environment.name"), primary_key=True),
    Column("generation", BigInteger, nullable=False, server_default=text("0")),
    Column("last_queue_order", BigInteger, nullable=False, server_default=text("0")),
    Column("live_release_id", ForeignKey("release.id")),
    Column("live_deployment_id", ForeignKey("deployment.id")),
    Column("live_generation", BigInteger, nullable=False, server_default=text("0")),
    Column("live_time", UtcTime),
    # What people set for it; the revision rises with every change.
    Column("settings_revision", BigInteger, nullable=False, server_default=text("0")),
    Column("freeze_reason", String, nullable=False, server_default=""),
    Column("frozen_by", String, nullable=False, server_default=""),
    Column("freeze_time", UtcTime),
    # Retention here, each where it differs from the servers' settings; 0 in an age or a size is no limit.
    Column("keep_releases", Integer),
    Column("keep_for_s", BigInteger),
    Column("keep_bytes", BigInteger),
    Column("rollback_targets", Integer),
    # How rollouts go over the nodes here where a deployment does not say; empty: all at once, take back.
    Column("strategy", JSON),
    Column("failure_policy", String, nullable=False, server_default=""),
    # The labels that a node must have for the project to go to it.
    Column("node_selector", JSON, nullable=False, default=dict),
)

# --- uploads under way --------------------------------------------------------------------------

upload = Table(
    "upload",
    metadata,
    Column("deployment_id", ForeignKey("deployment.id", ondelete="CASCADE"), primary_key=True),
    Column("session_id", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    # Rises with every acceptance; each write of an upload is guarded by it.
    Column("epoch", BigInteger, nullable=False),
    Column("way", String, nullable=False, server_default=""),
    Column("declared_size_bytes", BigInteger),
    Column("declared_sha256", String, nullable=False, server_default=""),
    Column("durable_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("next_segment", Integer, nullable=False, server_default=text("0")),
    # What the stored part's bytes were, for people: sent, already stored, newly stored.
    Column("received_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("reused_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("stored_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("heartbeat_time", UtcTime, nullable=False),
    # False once the holder let go by itself, so that nobody waits for a heartbeat to grow old.
    Column("held", Boolean, nullable=False),
    # What the upload made or found stored: kept for it until it is recorded.
    Column("stored_payload", ForeignKey("payload.sha256", ondelete="RESTRICT"), index=True),
    CheckConstraint("way IN ('', 'PLAIN', 'CHUNKS')", name="way"),
)

# The stored part of an upload, in order: which chunks, and where they lie.
upload_segment = Table(
    "upload_segment",
    metadata,
    Column("deployment_id", ForeignKey("upload.deployment_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("end_offset", BigInteger, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("chunks", LargeBinary, nullable=False),
)

# Keeps pack files from being collected while an upload counts on them.
pin = Table(
    "pin",
    metadata,
    Column("deployment_id", ForeignKey("upload.deployment_id", ondelete="CASCADE"), primary_key=True),
    Column("pack_key", ForeignKey("pack_file.key", ondelete="RESTRICT"), primary_key=True, index=True),
)

# --- what happened ------------------------------------------------------------------------------

event = Table(
    "event",
    metadata,
    Column("deployment_id", ForeignKey("deployment.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("message", String, nullable=False),
    Column("body", JSON, nullable=False),
)

# What was found in a deployment's content, the worst first.
finding = Table(
    "finding",
    metadata,
    Column("deployment_id", ForeignKey("deployment.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("code", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("message", String, nullable=False),
    Column("path", String, nullable=False),
    Column("line", Integer),
    CheckConstraint("severity IN ('INFO', 'WARNING', 'ERROR')", name="severity"),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("time", UtcTime, nullable=False),
    Column("principal", String, nullable=False),
    Column("peer", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("action", String, nullable=False),
    Column("project", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("deployment_id", String, nullable=False),
    Column("version", String, nullable=False),
    Column("from_status", String, nullable=False),
    Column("to_status", String, nullable=False),
    Column("message", String, nullable=False),
    Index("ix_audit_entry_project_id", "project", "id"),
    Index("ix_audit_entry_deployment_id_id", "deployment_id", "id"),
)

# --- nodes --------------------------------------------------------------------------------------

node = Table(
    "node",
    metadata,
    Column("id", BytewiseText, primary_key=True),
    Column("name", BytewiseText, nullable=False, unique=True),
    Column("environment", ForeignKey("environment.name"), nullable=False, index=True),
    Column("roles", JSON, nullable=False),
    Column("address", String, nullable=False),
    Column("server_version", String, nullable=False),
    Column("boot_number", BigInteger, nullable=False),
    Column("boot_time", UtcTime, nullable=False),
    Column("free_disk_bytes", BigInteger, nullable=False),
    Column("report_time", UtcTime, nullable=False),
    Column("installs", Boolean, nullable=False),
    # Why no rollout covers it; empty when they do.
    Column("cordon_reason", String, nullable=False, server_default=""),
    Column("cordoned_by", String, nullable=False, server_default=""),
    Column("cordon_time", UtcTime),
    # What its settings say about it.
    Column("labels", JSON, nullable=False, default=dict),
    # Cordoned, and to take no uploads and drive no rollouts.
    Column("draining", Boolean, nullable=False, server_default=false()),
    # What it last told of how many of them it has.
    Column("upload_count", Integer, nullable=False, server_default=text("0")),
    Column("rollout_count", Integer, nullable=False, server_default=text("0")),
)

# What a node should have of a project: a release or nothing.
assignment = Table(
    "assignment",
    metadata,
    Column("node_id", ForeignKey("node.id", ondelete="CASCADE"), primary_key=True),
    Column("environment", BytewiseText, primary_key=True),
    Column("project", BytewiseText, primary_key=True),
    Column("release_id", ForeignKey("release.id")),
    Column("generation", BigInteger, nullable=False),
    Column("deployment_id", String, nullable=False, server_default=""),
    Column("assign_time", UtcTime, nullable=False),
    ForeignKeyConstraint(
        ["project", "environment"], ["project_environment.project", "project_environment.environment"]
    ),
    Index("ix_assignment_project_environment", "project", "environment"),
)

# The nodes that a rollout covers, written down when it begins, in the order in which their turn comes.
rollout_node = Table(
    "rollout_node",
    metadata,
    Column("deployment_id", ForeignKey("deployment.id"), primary_key=True),
    Column("node_id", ForeignKey("node.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
    # Its value of the label that the strategy names.
    Column("failure_domain", String, nullable=False, server_default=""),
    # The generation of its assignment; 0 until its turn comes.
    Column("generation", BigInteger, nullable=False, server_default=text("0")),
    # That of what a rollout assigned it which this one superseded; 0 where none did.
    Column("inherited_generation", BigInteger, nullable=False, server_default=text("0")),
    # That of the assignment that takes it back; 0 until then.
    Column("revert_generation", BigInteger, nullable=False, server_default=text("0")),
)

# What a node did about an assignment.
activation = Table(
    "activation",
    metadata,
    Column("node_id", BytewiseText, primary_key=True),
    Column("environment", BytewiseText, primary_key=True),
    Column("project", BytewiseText, primary_key=True),
    Column("generation", BigInteger, primary_key=True),
    Column("node_name", BytewiseText, nullable=False),
    Column("deployment_id", String, nullable=False, server_default=""),
    Column("release_id", ForeignKey("release.id")),
    Column("version", String, nullable=False, server_default=""),
    Column("status", String, nullable=False),
    # The status that the deployment's events have told already.
    Column("told_status", String, nullable=False, server_default=""),
    Column("fetched_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("reused_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("installed_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("total_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("path", String, nullable=False, server_default=""),
    Column("message", String, nullable=False, server_default=""),
    Column("start_time", UtcTime),
    Column("end_time", UtcTime),
    Column("report_time", UtcTime, nullable=False),
    # How often the node has tried again by itself, after the deployment's end.
    Column("tries", Integer, nullable=False, server_default=text("0")),
    CheckConstraint(
        "status IN ('PENDING', 'FETCHING', 'SWITCHING', 'LIVE', 'FAILED', 'SUPERSEDED', 'REMOVED')",
        name="status",
    ),
    Index("ix_activation_deployment_id", "deployment_id", "generation"),
    Index("ix_activation_project_environment_generation", "project", "environment", "generation"),
)

# What one hook or check of an activation put out: its last lines, and what events have told of it.
hook_output = Table(
    "hook_output",
    metadata,
    Column("node_id", BytewiseText, primary_key=True),
    Column("environment", BytewiseText, primary_key=True),
    Column("project", BytewiseText, primary_key=True),
    Column("generation", BigInteger, primary_key=True),
    # In the order in which the node ran them.
    Column("number", Integer, primary_key=True),
    Column("deployment_id", String, nullable=False),
    Column("node_name", BytewiseText, nullable=False),
    Column("hook", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("taking_back", Boolean, nullable=False),
    Column("lines", JSON, nullable=False),
    # With those that are no longer in ``lines``.
    Column("line_count", BigInteger, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("exit_code", Integer),
    Column("outcome", String, nullable=False),
    # -1 until its beginning was told.
    Column("told_lines", BigInteger, nullable=False),
    Column("told_ended", Boolean, nullable=False),
    CheckConstraint("kind IN ('BEFORE_SWITCH', 'RESTART', 'AFTER_SWITCH', 'CHECK')", name="kind"),
    ForeignKeyConstraint(
        ["node_id", "environment", "project", "generation"],
        ["activation.node_id", "activation.environment", "activation.project", "activation.generation"],
        ondelete="CASCADE",
    ),
    Index("ix_hook_output_deployment_id", "deployment_id"),
)
