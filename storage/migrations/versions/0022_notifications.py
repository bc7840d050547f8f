"""notifications: people's addresses that hear of a project's events, and the messages to them"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "concerns",
        sa.Column("campaign_id", _ID, nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("about", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "kind", name="pk_concerns"),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaigns.id"],
            name="fk_concerns_campaign_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "notifications",
        sa.Column("id", _ID, nullable=False),
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("project", "name", name="uq_notifications_project_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "messages",
        sa.Column("id", _ID, nullable=False),
        sa.Column("notification_id", _ID, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due_at", sa.Float()),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_messages_notification_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "notification_id", "event_id", name="uq_messages_notification_id_event_id"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_due", "messages", ["due_at"])
