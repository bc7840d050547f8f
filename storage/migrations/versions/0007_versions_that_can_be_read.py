"""versions that can be read: a campaign that another version has replaced is kept, under its name
and number
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "campaigns", sa.Column("version", sa.Integer(), nullable=False, server_default="1")
    )
    op.add_column("campaigns", sa.Column("version_of", sa.String(100)))
    op.create_index(
        "ix_campaigns_versions", "campaigns", ["project", "version_of", "version"], unique=True
    )
