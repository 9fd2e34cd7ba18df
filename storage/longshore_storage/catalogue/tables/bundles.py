"""What releases are made of: their manifests, what they need beside them, their workflows."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, false

from longshore_storage.catalogue.columns import BytewiseText

from .schema import metadata

# What a release's manifest says, for people; no row where it has none.
bundle = Table(
    "bundle",
    metadata,
    Column("release_id", ForeignKey("release.id"), primary_key=True),
    Column("manifest", JSON, nullable=False),
)

# The projects that must be live beside a release. They need not be there yet.
dependency = Table(
    "dependency",
    metadata,
    Column("release_id", ForeignKey("release.id"), primary_key=True),
    Column("project", BytewiseText, primary_key=True, index=True),
    Column("constraint", String, nullable=False),
)

# The files of workflows and their definitions in JSON, each content once for all releases that have it.
workflow_content = Table(
    "workflow_content",
    metadata,
    Column("sha256", BytewiseText, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# The workflows of a release. Live are those of the release that is live: nothing here says so.
workflow = Table(
    "workflow",
    metadata,
    Column("release_id", ForeignKey("release.id"), primary_key=True),
    Column("path", BytewiseText, primary_key=True),
    Column("name", BytewiseText, primary_key=True),
    Column("ref", String, nullable=False),
    Column("label", String, nullable=False),
    Column("version", String, nullable=False),
    Column("description", String, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("task_count", Integer, nullable=False),
    # Of its file.
    Column("sha256", ForeignKey("workflow_content.sha256"), nullable=False),
    # Of what was read of it; without one it is not valid.
    Column("definition_sha256", ForeignKey("workflow_content.sha256")),
    # False for one that is not valid: it is there to be looked at.
    Column("registered", Boolean, nullable=False),
    # True from DeleteWorkflows on, until its release is deployed or read again: nobody is told of it.
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Index("ix_workflow_release_id_name", "release_id", "name"),
)
