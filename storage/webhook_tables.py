"""The tables of webhooks, beside those of `storage.tables`."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from storage.metadata import Id, metadata

# Addresses that hear of a project's events.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(100), nullable=False),
    Column("url", String(2000), nullable=False),
    Column("secret", String(100), nullable=False),  # itself: it signs what is sent
    Column("kinds", Text, nullable=False),  # JSON: a list
    Column("seen", BigInteger, nullable=False),  # the last event that it was asked about
    Column("created_at", Float, nullable=False),
    UniqueConstraint("project", "url"),
    sqlite_autoincrement=True,
)

# Bodies that are still to be sent. One that was sent goes; one that was given up has no `due_at`.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("webhook_id", Id, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Float),
    Column("error", Text),
    UniqueConstraint("webhook_id", "event_id"),
    Index("ix_deliveries_due", "due_at"),
    sqlite_autoincrement=True,
)
