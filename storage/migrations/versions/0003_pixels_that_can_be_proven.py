"""pixels that can be proven: encodings, hashes of files, numerics classes and canaries"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "campaigns", sa.Column("encoding", sa.String(100), nullable=False, server_default="png")
    )
    op.add_column(
        "campaigns", sa.Column("is_fresh", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("campaigns", sa.Column("numerics_class", sa.String(200)))
    with op.batch_alter_table("renders") as table:
        table.add_column(sa.Column("sha256", sa.String(64)))
        table.drop_constraint("fk_renders_campaign_id", type_="foreignkey")
    op.add_column("workers", sa.Column("quarantined_why", sa.Text()))
    op.create_table(
        "canaries",
        sa.Column("subject", sa.String(400), nullable=False),
        sa.Column("numerics_class", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "numerics_class", name="pk_canaries"),
    )
