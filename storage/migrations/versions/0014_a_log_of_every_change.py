"""a log of every change: what has changed, when, and by whom"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("project", sa.String(100)),
        sa.Column("campaign", sa.String(100)),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("author", sa.String(200)),
        sa.Column("token", sa.String(100)),
        sa.Column("address", sa.String(100)),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_campaign", "events", ["project", "campaign", "id"])
    op.create_index(
        "ix_events_audit",
        "events",
        ["id"],
        sqlite_where=sa.text("author IS NOT NULL"),
        postgresql_where=sa.text("author IS NOT NULL"),
    )
