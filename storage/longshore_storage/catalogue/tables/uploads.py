"""Uploads under way, and what is kept for them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    text,
)

from longshore_storage.catalogue.columns import UtcTime

from .schema import metadata

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
