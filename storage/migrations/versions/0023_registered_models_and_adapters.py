"""registered models and adapters: a row for each version of each"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registered",
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(140), nullable=False),
        sa.Column("manifest", sa.String(64), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("added_by", sa.String(255)),
        sa.PrimaryKeyConstraint("kind", "name", "digest", name="pk_registered"),
    )
    op.create_index("ix_registered_newest", "registered", ["kind", "name", "added_at"])
