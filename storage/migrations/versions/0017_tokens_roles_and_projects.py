"""tokens, roles and projects: who may do what, and how much"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("person", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.String(80)),
        sa.Column("expires_at", sa.Float()),
        sa.Column("revoked_at", sa.Float()),
        sa.Column("last_used_at", sa.Float()),
        sa.Column("last_used_from", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_person", "tokens", ["person"])
    op.create_table(
        "grants",
        sa.Column("person", sa.String(80), nullable=False),
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("given_at", sa.Float(), nullable=False),
        sa.Column("given_by", sa.String(80)),
        sa.PrimaryKeyConstraint("person", "project", name="pk_grants"),
    )
    op.create_index("ix_grants_project", "grants", ["project"])
    op.create_table(
        "projects",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.String(80)),
        sa.Column("device_hours", sa.Float()),
        sa.Column("workers", sa.Integer()),
        sa.Column("queued", sa.BigInteger()),
        sa.Column("stored_bytes", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_projects"),
    )
