"""all models that workers have warm, beside the one that they used last"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    new = sa.Column("loaded", sa.Text(), nullable=False, server_default="[]")
    op.add_column("workers", new)
