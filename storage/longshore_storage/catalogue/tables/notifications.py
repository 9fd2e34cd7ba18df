"""What is to be told to receivers outside."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, text

from longshore_storage.catalogue.columns import BytewiseText, UtcTime

from .schema import metadata

# It goes when it was delivered or given up. The body is as it is sent, the same with every try.
notification = Table(
    "notification",
    metadata,
    Column("id", BytewiseText, primary_key=True),
    Column("receiver", BytewiseText, nullable=False),
    Column("event", String, nullable=False),
    Column("body", String, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("create_time", UtcTime, nullable=False),
    Column("next_try_time", UtcTime, nullable=False),
    Index("ix_notification_receiver_next_try_time", "receiver", "next_try_time"),
)
