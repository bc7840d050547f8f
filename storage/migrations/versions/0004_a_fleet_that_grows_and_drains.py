"""a fleet that grows and drains: what operators order of it, and where each worker is"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("pool", sa.String(100)))
    op.add_column("workers", sa.Column("node_id", sa.String(100)))
    op.create_table(
        "scaling",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("floor", sa.Integer()),
        sa.Column("ceiling", sa.Integer()),
        sa.Column("is_frozen", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_scaling"),
    )
    op.create_table(
        "drains",
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("target", name="pk_drains"),
    )
