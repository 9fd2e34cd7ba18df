"""Nodes, what they should have, and what they did about it."""

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
    String,
    Table,
    false,
    text,
)

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import metadata

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
