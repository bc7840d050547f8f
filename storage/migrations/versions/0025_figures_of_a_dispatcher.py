"""figures of a dispatcher: what it tells of its rounds and its fleet for metrics"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("figures", sa.Text()))
