"""brands and the rules of pictures: versions of brand packs, and of each render by how many rules
it was judged and which it failed
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "brands",
        sa.Column("project", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("frozen_at", sa.Float()),
        sa.PrimaryKeyConstraint("project", "name", "version", name="pk_brands"),
        sa.UniqueConstraint("project", "name", "digest", name="uq_brands_project_name_digest"),
    )
    op.add_column("campaigns", sa.Column("brand", sa.String(100)))
    op.add_column("campaigns", sa.Column("brand_digest", sa.String(64)))
    op.add_column("renders", sa.Column("rules_tested", sa.Integer()))
    op.add_column("renders", sa.Column("rules_failed", sa.Text()))
