"""What nodes find when they compare what they have live with its release."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    text,
)

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import metadata

# Somebody asked whether what nodes have live of a project is its release. Dropped after a day.
verification = Table(
    "verification",
    metadata,
    Column("id", BytewiseText, primary_key=True),
    Column("project", ForeignKey("project.name"), nullable=False),
    Column("environment", ForeignKey("environment.name"), nullable=False),
    Column("repair", Boolean, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("create_time", UtcTime, nullable=False, index=True),
)

# What one node found: those that are to look are written down when it is asked.
node_verification = Table(
    "node_verification",
    metadata,
    Column("verification_id", ForeignKey("verification.id", ondelete="CASCADE"), primary_key=True),
    Column("node_id", ForeignKey("node.id", ondelete="CASCADE"), primary_key=True),
    Column("node_name", BytewiseText, nullable=False),
    Column("status", String, nullable=False),
    Column("version", String, nullable=False, server_default=""),
    Column("compared_entries", BigInteger, nullable=False, server_default=text("0")),
    # The first of them, as lists of a path and a kind.
    Column("differences", JSON, nullable=False),
    Column("total_differences", BigInteger, nullable=False, server_default=text("0")),
    Column("message", String, nullable=False, server_default=""),
    # The generation whose tree is being built again; 0 until that was begun.
    Column("repair_generation", BigInteger, nullable=False, server_default=text("0")),
    Column("end_time", UtcTime),
    CheckConstraint("status IN ('PENDING', 'INTACT', 'DIFFERS', 'REPAIRED', 'FAILED')", name="status"),
    Index("ix_node_verification_node_id_status", "node_id", "status"),
)
