"""What is stored, what is to be removed, and how far the work on it is."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    text,
)

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import metadata

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
