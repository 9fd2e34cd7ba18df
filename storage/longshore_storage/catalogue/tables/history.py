"""What happened: events, findings and the audit trail."""

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
)

from longshore_storage.catalogue.columns import UtcTime

from .schema import RowId, metadata

event = Table(
    "event",
    metadata,
    Column("deployment_id", ForeignKey("deployment.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("kind", String, nullable=False),
    Column("message", String, nullable=False),
    Column("body", JSON, nullable=False),
    # The outbox of notifications: nobody has looked yet whom outside it is to be told.
    Column("awaits_notice", Boolean, nullable=False, server_default=false()),
    Index(
        "ix_event_awaits_notice",
        "time",
        sqlite_where=text("awaits_notice = 1"),
        postgresql_where=text("awaits_notice"),
    ),
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

_VALIDATED = text("action = 'validation.accepted'")

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
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
    Column("result", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("message", String, nullable=False),
    Index("ix_audit_entry_project_id", "project", "id"),
    Index("ix_audit_entry_deployment_id_id", "deployment_id", "id"),
    # Nothing else stays of what was only validated, and quotas count it.
    *(
        Index(
            f"ix_audit_entry_validated_{whose}",
            whose,
            "id",
            sqlite_where=_VALIDATED,
            postgresql_where=_VALIDATED,
        )
        for whose in ("project", "principal")
    ),
    CheckConstraint("result IN ('DONE', 'DENIED', 'FAILED')", name="result"),
)

# A batch of entries, proved by a head that follows from the one before. The batch's entries are all that have
# ids above the last one's last_id, up to its own.
audit_seal = Table(
    "audit_seal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False, unique=True),
    Column("entry_count", Integer, nullable=False),
    Column("rows_sha256", String, nullable=False),
    Column("previous_head", String, nullable=False),
    Column("head", String, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("anchor_time", UtcTime),
    # The entry that tells of their removal, where retention has removed them.
    Column("removal_id", BigInteger),
)
