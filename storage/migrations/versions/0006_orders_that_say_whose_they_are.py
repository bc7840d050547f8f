"""orders that say whose they are: who set a limit of the fleet, or drains a part of it, and
when
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scaling", sa.Column("given", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("drains", sa.Column("asked_by", sa.String(120)))
