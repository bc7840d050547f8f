"""orders that are carried out once: the answers to those that had a key"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("begun_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_answers"),
    )
    op.create_index("ix_answers_begun_at", "answers", ["begun_at"])
