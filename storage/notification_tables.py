"""The tables of notifications, beside those of `storage.tables`."""

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

# What a person was told to look at: a row goes once there is nothing to look at any more.
concerns = Table(
    "concerns",
    metadata,
    Column("campaign_id", Id, ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(50), primary_key=True),
    Column("about", String(100), nullable=False),  # another value is another cause
)

# People's addresses, in mail, chats and the like, that hear of a project's events.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("project", String(100), nullable=False),
    Column("name", String(100), nullable=False),  # shown in the place of the address
    Column("service", String(100), nullable=False),
    Column("address", Text, nullable=False),  # itself, with the secrets that send to it
    Column("kinds", Text, nullable=False),  # JSON: a list
    Column("seen", BigInteger, nullable=False),  # the last event that it was asked about
    Column("created_at", Float, nullable=False),
    UniqueConstraint("project", "name"),
    sqlite_autoincrement=True,
)

# Messages that are still to be sent, as `deliveries` are for webhooks.
messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "notification_id", Id, ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False
    ),
    Column("event_id", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Float),
    Column("error", Text),
    UniqueConstraint("notification_id", "event_id"),
    Index("ix_messages_due", "due_at"),
    sqlite_autoincrement=True,
)
