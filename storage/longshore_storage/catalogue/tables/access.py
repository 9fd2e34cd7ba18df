"""Who gets in: tokens that the server itself made."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import metadata

# Of a token's secret only the digest is here: whoever reads the table cannot call with it. Rows stay when a
# token is revoked, so that its name tells one principal for ever.
access_token = Table(
    "access_token",
    metadata,
    Column("id", BytewiseText, primary_key=True),
    Column("name", BytewiseText, nullable=False, unique=True),
    Column("secret_sha256", BytewiseText, nullable=False),
    # [{role, projects, environments}], each with one pattern.
    Column("roles", JSON, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expire_time", UtcTime),
    Column("revoke_time", UtcTime),
)
