"""What there is to deploy, where, and what is live there."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, false, text

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import metadata

project = Table(
    "project",
    metadata,
    Column("name", BytewiseText, primary_key=True),
    Column("display_name", String, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    # Only uploads that were to be examined and not recorded ever named it: nobody sees it.
    Column("only_validated", Boolean, nullable=False, server_default=false()),
    # What the first manifest with its name was: SKILL, PACK, COMPONENT; empty while there was none.
    Column("kind", String, nullable=False, server_default=""),
)

environment = Table(
    "environment",
    metadata,
    Column("name", BytewiseText, primary_key=True),
    Column("create_time", UtcTime, nullable=False),
    # Whether somebody else than whoever deployed must promote here, whatever the project.
    Column("second_person", Boolean, nullable=False, server_default=false()),
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
    # Whether somebody else than whoever deployed must promote here.
    Column("second_person", Boolean, nullable=False, server_default=false()),
)
