"""who settled an attempt: each process counts in its metrics what its own dispatcher settled"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("session_id", sa.BigInteger()))
    op.create_index(
        "ix_campaigns_held",
        "campaigns",
        ["project", "held"],
        sqlite_where=sa.text("held > 0"),
        postgresql_where=sa.text("held > 0"),
    )
