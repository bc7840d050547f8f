"""what people know of a month: that a project's device hours are nearly spent is told once"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("month_told", sa.String(100)))
